"""SQL that is compiled once: inserting new rows, and finding one row by text columns.

The ORM compiles a statement anew for every call, which costs several times what the statement does.
Nobody notices, but on the way of a POST, which is nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache, cached_property
from itertools import chain
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

Found = TypeVar("Found", bound=Model)


def insert(rows: Sequence[Model]) -> None:
    """Store new objects, all or none. Keys that the database makes are not read back."""
    if not rows:
        return
    on = connections[DEFAULT_DB_ALIAS]
    filled = [_filled(row, on) for row in rows]
    statements = [
        _insertion(type(row), tuple(values)) for row, values in zip(rows, filled, strict=True)
    ]
    parameters = [list(values.values()) for values in filled]
    if on.vendor == "postgresql":  # takes them all in one round trip
        statements, parameters = [_together(statements)], [list(chain(*parameters))]
    # A single statement needs no transaction around it.
    alone = len(statements) == 1 and not on.in_atomic_block
    with nullcontext() if alone else transaction.atomic(), on.cursor() as cursor:
        for statement, values in zip(statements, parameters, strict=True):
            cursor.execute(statement, values)


class Lookup(Generic[Found]):
    """`Lookup(lambda name: Model.objects.filter(name=name))`, then `.first("x")`. The values looked
    for are texts, as the database keeps them."""

    def __init__(self, query: Callable[..., QuerySet[Found]], arguments: int = 1) -> None:
        self._query = query
        self._marks = [f"\x01{number}" for number in range(arguments)]

    def first(self, *values: str) -> Found | None:
        sql, parameters, made = self._compiled
        known = dict(zip(self._marks, values, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(sql, [known.get(value, value) for value in parameters])
            row = cursor.fetchone()
        return made(row) if row else None

    @cached_property
    def _compiled(self) -> tuple[str, Sequence[Any], Callable[[Sequence[Any]], Found]]:
        compiler = self._query(*self._marks)[:1].query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        return sql, parameters, _maker(compiler)


def _maker(compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """What makes an object, and what was selected with it, of a row of the compiled query."""
    select, info = compiler.select, compiler.klass_info
    converters = compiler.get_converters([column for column, *_ in select])
    own = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
    names = [column.target.attname for column, *_ in select[own]]
    related = get_related_populators(info, select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]

    def made(found: Sequence[Any]) -> Any:
        row = list(found)
        for at, (functions, column) in converters.items():
            for convert in functions:
                row[at] = convert(row[at], column, connection)
        item = info["model"].from_db(DEFAULT_DB_ALIAS, names, row[own])
        for populator in related:
            populator.populate(row, item)
        return item

    return made


def _filled(row: Model, on: BaseDatabaseWrapper) -> dict[str, Any]:
    """The columns that get a value. psycopg keeps what it parsed of a statement with up to 50
    parameters, so those that stay NULL are left out, and so is the key that the database makes."""
    given = ((field, getattr(row, field.attname)) for field in type(row)._meta.concrete_fields)
    return {
        str(field.column): field.get_db_prep_save(value, on)
        for field, value in given
        if value is not None
    }


@cache
def _insertion(model: type[Model], columns: tuple[str, ...]) -> str:
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    table = connection.ops.quote_name(model._meta.db_table)
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  our own names


def _together(statements: Sequence[str]) -> str:
    """One statement of several; foreign keys are checked at its end, so the order is free."""
    *first, last = statements
    named = ", ".join(f"r{at} AS ({statement})" for at, statement in enumerate(first))
    return f"WITH {named} {last}" if named else last
