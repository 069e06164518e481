"""An image in a request: the file itself as the body, a form with the file, or Base64 in JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.settings import api_settings

from jobs.errors import InvalidParams

FIELD = "image"
CSRF_FIELD = "csrfmiddlewaretoken"


class PngParser(BaseParser):
    media_type = "image/png"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, bytes]:
        return {FIELD: stream.read()}


class JpegParser(PngParser):
    media_type = "image/jpeg"


PARSERS: list[Any] = [*api_settings.DEFAULT_PARSER_CLASSES, PngParser, JpegParser, MultiPartParser]


def image_of(sent: Any) -> bytes:
    """The bytes of the one image; InvalidParams when there is none, or something beside it.
    `sent` is what a parser gave: a mapping, of a form with several values for a name."""
    unknown = {name: ["Unknown field."] for name in sent if name not in (FIELD, CSRF_FIELD)}
    if unknown:
        raise InvalidParams(unknown)
    values = sent.getlist(FIELD) if hasattr(sent, "getlist") else [sent.get(FIELD)]
    if len(values) != 1 or not values[0]:
        raise _refused("Send one image: as the body, as a form's file, or in Base64.")
    return _bytes_of(values[0])


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:  # also of letters beyond ASCII
            raise _refused("This is no Base64.") from None
    return value if isinstance(value, bytes) else bytes(value.read())


def _refused(reason: str) -> InvalidParams:
    return InvalidParams({FIELD: [reason]})
