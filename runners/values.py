"""Strict conversion between frozen dataclasses and plain JSON values.

What comes from another process is believed only when it has exactly the declared fields and types:
a field too many, a number that is a bool or not finite, a string that is no string end the
conversation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from runners.errors import ProtocolError

T = TypeVar("T")


def to_json(value: Any) -> dict[str, Any]:
    return asdict(value)


def from_json(kind: type[T], given: Any) -> T:
    """A `kind` made of a JSON object, or ProtocolError that names the field."""
    if not isinstance(given, Mapping):
        raise ProtocolError(f"{kind.__name__}: not an object")
    declared = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(given) - set(declared)):
        raise ProtocolError(f"{kind.__name__}: unknown field {unknown[0]!r}")
    if missing := [n for n, field in declared.items() if n not in given and _is_required(field)]:
        raise ProtocolError(f"{kind.__name__}: no field {missing[0]!r}")
    hints = _hints(kind)  # type: ignore[arg-type]  # every class can be hashed
    return kind(
        **{
            name: _read(hints[name], value, f"{kind.__name__}.{name}")
            for name, value in given.items()
        }
    )


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _read(wanted: Any, value: Any, where: str) -> Any:
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return _read_optional(wanted, value, where)
    if origin is tuple:
        return _read_list(get_args(wanted)[0], value, where)
    if is_dataclass(wanted):
        return from_json(wanted, value)  # type: ignore[arg-type]
    if origin is not None:  # Mapping[str, Any]: what is in it is not ours to judge
        return dict(_of_type(Mapping, value, where))
    if wanted is float:
        return _finite(value, where)
    return _of_type(wanted, value, where)


def _read_optional(wanted: Any, value: Any, where: str) -> Any:
    if value is None:
        return None
    (kind,) = (arg for arg in get_args(wanted) if arg is not NoneType)
    return _read(kind, value, where)


def _read_list(wanted: Any, value: Any, where: str) -> tuple[Any, ...]:
    items = _of_type(list, value, where)
    return tuple(_read(wanted, item, f"{where}[{at}]") for at, item in enumerate(items))


def _finite(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProtocolError(f"{where}: not a finite number")
    return float(value)


def _of_type(wanted: Any, value: Any, where: str) -> Any:
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise ProtocolError(f"{where}: not of type {wanted.__name__}")
    return value
