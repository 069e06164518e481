"""How answers are written: JSON unless a browser asks for the browsable API."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class ContractEncoder(JSONEncoder):
    """Times outside a serializer get the contract's form too: UTC, `Z`, microseconds."""

    def default(self, obj: Any) -> Any:
        if isinstance(obj, datetime.datetime) and obj.tzinfo is not None:
            return obj.astimezone(datetime.UTC).strftime(TIME_FORMAT)
        return super().default(obj)


class ContractJSONRenderer(JSONRenderer):
    encoder_class = ContractEncoder


class BrowsableRenderer(BrowsableAPIRenderer):
    """The REST framework's pages, in our frame (templates/rest_framework/api.html)."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Any = None,
    ) -> str:
        page = super().render(data, accepted_media_type, renderer_context)
        # The stock forms post multipart, which the API does not take: its bodies hold no files.
        return str(page).replace(' enctype="multipart/form-data"', "")


class Negotiation(DefaultContentNegotiation):
    """Never 406: who asks for something we do not have gets the view's first format."""

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        offered = list(renderers)
        try:
            renderer, _ = super().select_renderer(request, offered, format_suffix)
        except exceptions.NotAcceptable:
            renderer = offered[0]
        # Not the type as the client wrote it: its parameters would come back in Content-Type.
        return renderer, str(renderer.media_type)
