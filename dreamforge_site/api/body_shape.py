"""Whether a body has the shape its serializer declares: no unknown name, no coerced type.

The REST framework ignores unknown fields and turns `"30"`, `30.0` and `true` into integers. JSON
says what it means, so here a value has the declared type or is refused. Absent fields and nulls are
left to the serializer, which knows which are allowed. Forms can only send strings: for them names
are checked and types are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rest_framework import serializers as drf
from rest_framework.fields import Field

from dreamforge_site.api.json_text import printable

Faults = dict[str, list[str]]

UNKNOWN = "Unknown field."
READ_ONLY = "This field is read-only."

_STRING = ((str,), "Must be a string.")
_INTEGER = ((int,), "Must be an integer.")
_NUMBER = ((int, float), "Must be a number.")
_BOOLEAN = ((bool,), "Must be true or false.")
_LIST = ((list,), "Must be a list.")
_OBJECT = ((dict,), "Must be an object.")
_NAME = ((str, int), "Must be a string or an integer.")

# The first that fits wins: subclasses stand before their bases.
JSON_TYPES: tuple[tuple[type[Field[Any, Any, Any, Any]], tuple[tuple[type, ...], str]], ...] = (
    (drf.BooleanField, _BOOLEAN),
    (drf.IntegerField, _INTEGER),
    (drf.FloatField, _NUMBER),
    (drf.DecimalField, ((int, float, str), "Must be a number.")),
    (drf.CharField, _STRING),
    (drf.UUIDField, _STRING),
    (drf.DateTimeField, _STRING),
    (drf.DateField, _STRING),
    (drf.TimeField, _STRING),
    (drf.DurationField, _STRING),
    (drf.MultipleChoiceField, _LIST),
    (drf.ChoiceField, _NAME),
    (drf.ManyRelatedField, _LIST),
    (drf.RelatedField, _NAME),
    (drf.ListField, _LIST),
    (drf.ListSerializer, _LIST),
    (drf.DictField, _OBJECT),
    (drf.Serializer, _OBJECT),
)


def faults(serializer: drf.BaseSerializer[Any] | None, body: Mapping[str, Any]) -> Faults:
    """What is wrong with a JSON body, by field; a view without a serializer takes no field."""
    return _object_faults(serializer, body, "")


def unknown_names(serializer: drf.BaseSerializer[Any] | None, names: Iterable[str]) -> Faults:
    """Which form fields nobody declared; `a.b` and `a[0]b` belong to the field `a`."""
    fields = writable(serializer)
    return {
        printable(name): [UNKNOWN] for name in names if re.split(r"[.\[]", name)[0] not in fields
    }


def writable(serializer: drf.BaseSerializer[Any] | None) -> dict[str, Field[Any, Any, Any, Any]]:
    fields = getattr(serializer, "fields", {})
    return {
        name: field
        for name, field in fields.items()
        if not field.read_only and not isinstance(field, drf.HiddenField)
    }


def _object_faults(serializer: Any, body: Mapping[str, Any], prefix: str) -> Faults:
    fields, declared = writable(serializer), getattr(serializer, "fields", {})
    found: Faults = {}
    for name, value in body.items():
        path = f"{prefix}{printable(name)}"
        if name in fields:
            found |= _value_faults(fields[name], value, path)
        else:
            found[path] = [READ_ONLY if name in declared else UNKNOWN]
    return found


def _value_faults(field: Any, value: Any, path: str) -> Faults:
    if value is None:
        return {}
    types, message = _json_type(field)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        return {path: [message]}
    look_inside = next((look for kind, look in INSIDE if isinstance(field, kind)), None)
    return look_inside(field, value, path) if look_inside else {}


def _json_type(field: Any) -> tuple[tuple[type, ...], str]:
    known = (json_type for kind, json_type in JSON_TYPES if isinstance(field, kind))
    return next(known, ((object, bool), ""))


def _list_faults(field: Any, values: Any, path: str) -> Faults:
    found: Faults = {}
    for index, value in enumerate(values):
        found |= _value_faults(field.child, value, f"{path}.{index}")
    return found


def _dict_faults(field: Any, values: Any, path: str) -> Faults:
    found: Faults = {}
    for name, value in values.items():
        found |= _value_faults(field.child, value, f"{path}.{printable(name)}")
    return found


def _choices_faults(field: Any, values: Any, path: str) -> Faults:
    found: Faults = {}
    for index, value in enumerate(values):
        found |= _choice_faults(field, value, f"{path}.{index}")
    return found


def _choice_faults(field: Any, value: Any, path: str) -> Faults:
    """`1` is not the choice `"1"`: the REST framework compares them as strings."""
    if isinstance(value, str | int) and value in ("", *field.choices):
        return {}
    return {path: [f"{printable(str(value))!r} is not one of the choices."]}


INSIDE: tuple[tuple[type[Field[Any, Any, Any, Any]], Callable[[Any, Any, str], Faults]], ...] = (
    (drf.ListField, _list_faults),
    (drf.ListSerializer, _list_faults),
    (drf.DictField, _dict_faults),
    (drf.Serializer, lambda field, value, path: _object_faults(field, value, f"{path}.")),
    (drf.MultipleChoiceField, _choices_faults),
    (drf.ChoiceField, _choice_faults),
)
