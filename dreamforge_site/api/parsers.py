"""How bodies are read: strict JSON, and the browsable API's forms. Both refuse undeclared fields.

A body that is absent counts as `{}`, so that operations which need none take none.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import IO, Any

from django.http import QueryDict
from django.utils.http import parse_header_parameters
from rest_framework.parsers import FormParser, JSONParser

from dreamforge_site.api import body_shape, declarations, json_text
from dreamforge_site.api.errors import ApiError, invalid_fields
from dreamforge_site.api.renderers import ContractJSONRenderer

CSRF_FIELD = "csrfmiddlewaretoken"


class StrictJSONParser(JSONParser):
    """One JSON object with declared fields of the declared types (see json_text, body_shape)."""

    renderer_class = ContractJSONRenderer

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        context = parser_context or {}
        _refuse_encodings(media_type, context)
        body = json_text.parse_object(stream.read())
        _raise_for(body_shape.faults(declarations.body_serializer(context.get("view")), body))
        return body


class StrictFormParser(FormParser):
    """A form of the browsable API: declared fields, each value a string for the serializer."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        context = parser_context or {}
        _refuse_encodings(media_type, context)
        form = QueryDict(stream.read(), encoding="utf-8", mutable=True)
        form.pop(CSRF_FIELD, None)
        serializer = declarations.body_serializer(context.get("view"))
        _raise_for(body_shape.unknown_names(serializer, form))
        return form


def _raise_for(faults: body_shape.Faults) -> None:
    if faults:
        raise invalid_fields(faults)


def _refuse_encodings(media_type: str | None, context: Mapping[str, Any]) -> None:
    request = context.get("request")
    encoding = request.headers.get("Content-Encoding", "") if request is not None else ""
    if encoding.strip().lower() not in ("", "identity"):
        raise ApiError("unsupported_media_type", "Send the body without Content-Encoding.")
    charset = parse_header_parameters(media_type or "")[1].get("charset", "utf-8")
    if not _is_utf8(charset):
        raise ApiError("unsupported_media_type", "Send the body as UTF-8.")


def _is_utf8(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in ("utf-8", "ascii")
    except (LookupError, ValueError):
        return False
