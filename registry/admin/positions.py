"""Places in an ordered list: where a page begins is said by the keys of the row before it, so the
database finds any page by its index and counts no rows to get there.

A null counts as less than every value, on either database.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.core import signing
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import F, Field, Model, OrderBy, Q
from django.db.models.constants import LOOKUP_SEP

AFTER, BEFORE, LAST = "after", "before", "last"
LONGEST = 8_000  # some hundred letters, each as twelve of JSON


@dataclass(frozen=True)
class Key:
    """One column that a list is ordered by; `path` may lead over relations."""

    path: str
    descending: bool
    field: Field[Any, Any]
    nullable: bool
    is_unique: bool

    @property
    def order(self) -> OrderBy:
        if not self.nullable:
            return OrderBy(F(self.path), descending=self.descending)
        first_or_last: dict[str, Any] = {"nulls_last" if self.descending else "nulls_first": True}
        return OrderBy(F(self.path), descending=self.descending, **first_or_last)

    @property
    def is_time(self) -> bool:
        return self.field.get_internal_type() == "DateTimeField"

    def of(self, row: Model) -> Any:
        return _plain(attrgetter(self.path.replace(LOOKUP_SEP, "."))(row))


@dataclass(frozen=True)
class Position:
    """`values`: those of the row that the page follows, or leads up to; none at an end."""

    forward: bool = True
    values: tuple[Any, ...] | None = None


START, END = Position(), Position(forward=False)


def keys(model: type[Model], ordering: Sequence[Any]) -> tuple[Key, ...]:
    """The columns of an ordering, as far as they decide anything: each once, and none after one
    that tells all rows apart."""
    found: dict[str, Key] = {}
    for part in ordering:
        key = _key(model, part)
        found.setdefault(key.path, key)
        if key.is_unique:
            break
    return tuple(found.values())


def beyond(order: Sequence[Key], position: Position) -> Q:
    """Of rows in this order: those on the far side of the position."""
    if position.values is None:
        return Q()
    pairs = [
        (key.path, key.descending == position.forward, key.nullable, value)
        for key, value in zip(order, position.values, strict=True)
    ]
    return _beyond(pairs)


def written(way: str, row: Model, order: Sequence[Key]) -> str:
    """For an address. Signed, so that whoever reads one back need not doubt it."""
    return f"{way}.{signing.dumps([key.of(row) for key in order], salt=_salt(order))}"


def read(text: str, order: Sequence[Key]) -> Position:
    """What an address says; the start where it says nothing that this list has written."""
    if text == LAST:
        return END
    way, _, token = text[:LONGEST].partition(".")
    if way not in (AFTER, BEFORE):
        return START
    try:
        values = signing.loads(token, salt=_salt(order))
        found = tuple(key.field.to_python(v) for key, v in zip(order, values, strict=True))
    except (signing.BadSignature, ValidationError):
        return START
    return Position(way == AFTER, found)


def _key(model: type[Model], part: Any) -> Key:
    if isinstance(part, OrderBy) and isinstance(part.expression, F):
        column: Any = part.expression  # its name is not in the stubs
        path, descending = column.name, part.descending
    elif isinstance(part, str):
        path, descending = part.removeprefix("-"), part.startswith("-")
    else:
        raise ImproperlyConfigured(f"{model.__name__}: {part!r} is no column to page by.")
    fields = _fields(model, path.split(LOOKUP_SEP))
    names, last = [field.name for field in fields[:-1]], fields[-1]
    # A relation as the row itself has it, without a look at what it points to.
    stored = last.target_field if last.is_relation else last
    nullable = any(field.null for field in fields)
    is_unique = len(fields) == 1 and last.unique and not nullable
    return Key(LOOKUP_SEP.join([*names, last.attname]), descending, stored, nullable, is_unique)


def _fields(model: type[Model], names: Sequence[str]) -> list[Any]:
    """Those on the way to a column."""
    field: Any = model._meta.pk if names[0] == "pk" else model._meta.get_field(names[0])
    return [field, *(_fields(field.related_model, names[1:]) if names[1:] else ())]


def _beyond(pairs: Sequence[tuple[str, bool, bool, Any]]) -> Q:
    """`a <= x AND (a < x OR b < y)`: the first part alone bounds the scan of an index."""
    (path, downward, nullable, value), rest = pairs[0], pairs[1:]
    past = _past(path, downward, nullable, value)
    if not rest:
        return past
    if nullable:
        same = Q(**{f"{path}__isnull": True}) if value is None else Q(**{path: value})
        return past | (same & _beyond(rest))
    return Q(**{f"{path}__{'lte' if downward else 'gte'}": value}) & (past | _beyond(rest))


def _past(path: str, downward: bool, nullable: bool, value: Any) -> Q:
    if value is None:
        return Q(pk__in=[]) if downward else Q(**{f"{path}__isnull": False})
    past = Q(**{f"{path}__{'lt' if downward else 'gt'}": value})
    return past | Q(**{f"{path}__isnull": True}) if nullable and downward else past


def _plain(value: Any) -> Any:
    """JSON of a key, losing nothing: Django's own encoder drops the microseconds."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _salt(order: Sequence[Key]) -> str:
    named = ",".join(f"{'-' if key.descending else ''}{key.path}" for key in order)
    return f"position:{order[0].field.model._meta.label}:{named}"
