"""Keyset pages: the cursor says after which row the next page starts, so no page costs more.

A list view declares `list_key` (the name of the list) and, if it is not newest first, `keyset`:
field names of the model (or, after `__`, of one it belongs to), `-` for descending, ending in a
unique one, none of them nullable, with an index in that order. One query a page, no COUNT, no
OFFSET. Rows that share a time are told apart by the id.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.db.models import Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from dreamforge_site.api.errors import invalid_fields, malformed

if TYPE_CHECKING:  # its module reads the settings that name this one
    from rest_framework.views import APIView

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR_CHARS = 1024
NEWEST_FIRST = ("-created_at", "-id")
EXAMPLE_CURSOR = "WyIyMDI2LTAxLTAyVDAzOjA0OjA1LjAwMDAwNiswMDowMCIsIjciXQ:c2lnbmF0dXJl"


class KeysetPagination(BasePagination):
    display_page_controls = False
    view: Any = None  # set by ContractSchema, which has no request to page

    def paginate_queryset(  # type: ignore[override] # a list in memory has no keys to compare
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.request, self.view = request, view
        keyset = self._keyset()
        limit = _limit(request.query_params.get("limit"))
        rows = queryset.order_by(*keyset)
        cursor = request.query_params.get("cursor")
        if cursor is not None:
            rows = rows.filter(_after(keyset, self._position(cursor, queryset.model)))
        page = list(rows[: limit + 1])
        self.next_cursor = self._cursor(page[limit - 1]) if len(page) > limit else None
        return page[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        response = Response({self.view.list_key: data, "next_cursor": self.next_cursor})
        if self.next_cursor is not None:
            here = self.request.build_absolute_uri()
            following = replace_query_param(here, "cursor", self.next_cursor)
            response["Link"] = f'<{following}>; rel="next"'
        return response

    def get_results(self, data: dict[str, Any]) -> Any:
        return data[str(getattr(self.view, "list_key", ""))]  # KeyError says: this is no page

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "limit",
                "in": "query",
                "description": "Most entries on this page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "`next_cursor` of the page before; absent for the first page.",
                "schema": {"type": "string"},
            },
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": [self.view.list_key, "next_cursor"],
            "additionalProperties": False,
            "properties": {
                self.view.list_key: schema,
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "Opaque; null on the last page.",
                    "example": EXAMPLE_CURSOR,
                },
            },
        }

    def _keyset(self) -> tuple[str, ...]:
        return tuple(getattr(self.view, "keyset", NEWEST_FIRST))

    def _signer(self) -> Signer:
        view = type(self.view)
        return Signer(salt=f"cursor:{view.__module__}.{view.__qualname__}:{self._keyset()}")

    def _cursor(self, row: Any) -> str:
        return self._signer().sign_object([_plain(_value(row, name)) for name in self._keyset()])

    def _position(self, cursor: str, model: type[Model]) -> list[Any]:
        try:
            values = self._signer().unsign_object(cursor[:MAX_CURSOR_CHARS])
            return [
                _field(model, name).to_python(value)
                for name, value in zip(self._keyset(), values, strict=True)
            ]
        except (BadSignature, ValidationError):
            raise malformed("The cursor is not one this list gave out.") from None


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,3}", given) or not 1 <= int(given) <= MAX_LIMIT:
        raise invalid_fields({"limit": [f"Must be an integer from 1 to {MAX_LIMIT}."]})
    return int(given)


def _after(keyset: Sequence[str], values: Sequence[Any]) -> Q:
    """`a <= x AND (a < x OR b < y)`: the first part alone bounds the index scan."""
    name, value = keyset[0], values[0]
    lookup = f"{name.removeprefix('-')}__{'lt' if name.startswith('-') else 'gt'}"
    beyond = Q(**{lookup: value})
    if len(keyset) == 1:
        return beyond
    return Q(**{f"{lookup}e": value}) & (beyond | _after(keyset[1:], values[1:]))


def _field(model: type[Model], name: str) -> Any:
    first, _, rest = name.removeprefix("-").partition("__")
    field: Any = model._meta.pk if first == "pk" else model._meta.get_field(first)
    return _field(field.related_model, rest) if rest else field


def _value(row: Any, name: str) -> Any:
    name = name.removeprefix("-")
    return row[name] if isinstance(row, dict) else attrgetter(name.replace("__", "."))(row)


def _plain(value: Any) -> Any:
    """JSON of a key, losing nothing: Django's own encoder drops the microseconds."""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
