"""Who may come in, and how an error of any kind leaves: in the hub's form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from django.http import HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from downloader.hub.serving import refusals
from downloader.hub.serving.refusals import Refused

log = structlog.get_logger(__name__)

SCOPES = ("read", "models")
LOG_IN = "Invalid username or password."


class MirrorScope(BasePermission):
    """An API key needs `read` or `models`; who has neither key nor session is no caller at all."""

    message = "This API key has neither the scope `read` nor `models`; make a key with one."

    def has_permission(self, request: Request, view: APIView) -> bool:
        scopes = key_scopes(request)
        return scopes is None or any(scope in scopes for scope in SCOPES)


class FirstRenderer(BaseContentNegotiation):
    """Answers have one form, whatever `Accept` says."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        wanted = (request.content_type or "").partition(";")[0]
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> Any:
        first = next(iter(renderers))
        return first, first.media_type


class MirrorView(APIView):
    """Errors of any kind leave in the hub's form."""

    schema = None  # another API's protocol: no part of the contract's document
    permission_classes = [IsAuthenticated, MirrorScope]
    renderer_classes = [JSONRenderer]
    parser_classes = [JSONParser, FormParser]
    content_negotiation_class = FirstRenderer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A NUL names nothing, and not every database can be asked for it."""
        super().initial(request, *args, **kwargs)
        values = (value for _, values in request.query_params.lists() for value in values)
        if any("\0" in text for text in (request.path, *values)):
            raise refusals.unreadable()

    def handle_exception(self, exc: Exception) -> Any:
        refused = exc if isinstance(exc, Refused) else _translated(exc)
        if refused is None:
            return super().handle_exception(exc)
        if refused.status >= 500:
            log.warning("mirror_refused", status=refused.status, why=refused.words)
        return as_answer(refused)


def as_answer(refused: Refused) -> HttpResponse:
    told = refusals.one_line(refused.header or refused.words)
    headers = {"X-Error-Message": told, **refused.headers}
    if refused.code:
        headers["X-Error-Code"] = refused.code
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    response = JsonResponse({"error": refused.words}, status=refused.status, headers=headers)
    response._has_been_logged = True  # type: ignore[attr-defined]  # the access log has it
    return response


def _translated(exc: Exception) -> Refused | None:
    """None: what the plumbing knows best, or a fault of ours."""
    if isinstance(exc, exceptions.NotAuthenticated):
        return Refused(401, f"{LOG_IN} Send an API key as HF_TOKEN.", header=LOG_IN)
    if isinstance(exc, exceptions.AuthenticationFailed):
        return Refused(401, str(exc.detail), header=refusals.BAD_CREDENTIALS)
    if isinstance(exc, exceptions.PermissionDenied):
        return Refused(403, str(exc.detail))
    if isinstance(exc, exceptions.APIException) and not isinstance(exc, exceptions.Throttled):
        return Refused(exc.status_code, str(exc.detail))
    return None


def key_scopes(request: Request) -> list[str] | None:
    return getattr(request.auth, "scopes", None)
