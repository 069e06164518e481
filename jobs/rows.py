"""SQL that is compiled once: inserting new rows, and finding one row by text columns.

The ORM compiles a statement anew for every call, which costs several times what the statement does.
Nobody notices, but on the way of a POST, which is nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import cache, cached_property, lru_cache
from itertools import chain
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

Found = TypeVar("Found", bound=Model)

STATEMENTS = 256  # kept in memory; a few KiB each
# What a driver stores as it is. Every other value is prepared by its field.
PLAIN: dict[str, frozenset[type]] = {
    "postgresql": frozenset({str, int, float, bool, uuid.UUID, datetime}),
    "sqlite": frozenset({str, int, float}),
}


def insert(rows: Sequence[Model], *, prepared: bool = False) -> None:
    """Store new objects, all or none. Keys that the database makes are not read back. `prepared`
    spares PostgreSQL the planning; a pooler in between may not be able to do that."""
    if not rows:
        return
    on = connections[DEFAULT_DB_ALIAS]
    alike: dict[tuple[type[Model], tuple[str, ...]], list[Any]] = {}
    for row in rows:
        columns, values = _filled(row, on)
        alike.setdefault((type(row), columns), []).extend(values)
    statements = tuple(
        _insertion(model, columns, len(values) // len(columns))
        for (model, columns), values in alike.items()
    )
    parameters = list(alike.values())
    if on.vendor == "postgresql":  # takes them all in one round trip
        statements, parameters = (_together(statements),), [list(chain(*parameters))]
        if prepared:
            _execute_prepared(statements[0], parameters[0])
            return
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

    def first(self, *values: str, prepared: bool = False) -> Found | None:
        """`prepared` as for `insert`."""
        sql, parameters, made = self._compiled
        known = dict(zip(self._marks, values, strict=True))
        wanted = [known.get(value, value) for value in parameters]
        if prepared and connection.vendor == "postgresql":
            row = _execute_prepared(sql, wanted)
        else:
            with connection.cursor() as cursor:
                cursor.execute(sql, wanted)
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


def _execute_prepared(statement: str, values: Sequence[Any]) -> Any:
    """The first row, if there are any. This goes past Django's cursor, which puts the values into
    the text: no plan can be kept of that."""
    from psycopg import RawCursor

    on: Any = connections[DEFAULT_DB_ALIAS]
    on.ensure_connection()
    with on.wrap_database_errors, RawCursor(on.connection) as cursor:
        cursor.execute(_numbered(statement), values)
        return cursor.fetchone() if cursor.description else None


@lru_cache(STATEMENTS)
def _numbered(statement: str) -> str:
    """With `$1, $2, …`, which psycopg passes on without a look. Our statements hold no other %."""
    first, *others = statement.split("%s")
    return first + "".join(f"${at}{text}" for at, text in enumerate(others, start=1))


def _filled(row: Model, on: BaseDatabaseWrapper) -> tuple[tuple[str, ...], list[Any]]:
    """The columns that get a value, and the values. Those that stay NULL are left out, and so is
    the key that the database makes."""
    facts = row.__dict__
    plain = PLAIN[on.vendor]
    columns, values = [], []
    for attname, column, prepare in _fields(type(row)):
        value = facts[attname]
        if value is not None:
            columns.append(column)
            values.append(value if type(value) in plain else prepare(value, on))
    return tuple(columns), values


@cache
def _fields(model: type[Model]) -> list[tuple[str, str, Callable[..., Any]]]:
    return [
        (field.attname, str(field.column), field.get_db_prep_save)
        for field in model._meta.concrete_fields
    ]


@lru_cache(STATEMENTS)
def _insertion(model: type[Model], columns: tuple[str, ...], count: int) -> str:
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    table = connection.ops.quote_name(model._meta.db_table)
    marks = ", ".join([f"({', '.join(['%s'] * len(columns))})"] * count)
    return f"INSERT INTO {table} ({names}) VALUES {marks}"  # noqa: S608  our own names


@lru_cache(STATEMENTS)
def _together(statements: tuple[str, ...]) -> str:
    """One statement of several; foreign keys are checked at its end, so the order is free."""
    *first, last = statements
    named = ", ".join(f"r{at} AS ({statement})" for at, statement in enumerate(first))
    return f"WITH {named} {last}" if named else last
