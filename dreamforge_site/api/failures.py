"""From an exception of any layer to the one envelope: the only place where errors become answers.

The REST framework calls `handle`; Django calls `bad_request` and its siblings (urls.py) and
`csrf_failure` (settings). A person's browser outside the API gets a small page instead of JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions as drf
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

from dreamforge_site.api import dialects, errors
from dreamforge_site.api.errors import ApiError
from dreamforge_site.api.renderers import ContractJSONRenderer

log = structlog.get_logger(__name__)
AnyResponse = TypeVar("AnyResponse", bound=HttpResponse)

API_PREFIXES = ("/v1", "/openai", "/hf", "/healthz", "/readyz", "/metrics")
# What SQLite and PostgreSQL say.
DISK_FULL = ("disk is full", "No space left on device")
UNKNOWN_HOST = "The service does not answer to this host name; DF_ALLOWED_HOSTS lists its own."
TITLES = {
    400: "That request could not be understood",
    403: "You may not do that",
    404: "There is nothing at this address",
    413: "That was too large",
    500: "Something broke on our side",
    503: "Not available just now",
}


def handle(exception: Exception, context: dict[str, Any]) -> Response:
    """The REST framework's exception handler."""
    error = _report(exception)
    request: Request | None = context.get("request")
    if request is not None:
        _settle(request, error)
    status, body, headers = dialects.spoken(error, "" if request is None else request.path)
    response = Response(_with_form(body, exception), status=status, headers=headers)
    return _already_logged(response)


def respond(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """The answer to an exception that no REST framework view caught."""
    error = _report(exception)
    status, body, headers = dialects.spoken(error, request.path)
    if _wants_page(request):
        response = HttpResponse(_page(error), status=status)
    else:
        response = JsonResponse(body, status=status)
    for name, value in headers.items():
        response[name] = value
    return _already_logged(response)


def translate(exception: BaseException) -> ApiError:
    """Which error of the contract `exception` is; `internal` when it is none of them."""
    if isinstance(exception, ApiError):
        return exception
    code = getattr(exception, "code", None)
    if isinstance(code, str) and code in errors.STATUS_BY_CODE and hasattr(exception, "message"):
        return _declared(exception, code)
    for kind, translation in TRANSLATIONS:
        if isinstance(exception, kind):
            return translation(exception)
    return ApiError("internal", "Something broke on our side; the log has the details.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(request, exception)


@csrf_exempt
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's 404, and the last pattern under the API's prefixes."""
    return respond(request, exception or Http404())


def server_error(request: HttpRequest) -> HttpResponse:
    return respond(request, sys.exception() or RuntimeError("handler500 without an exception"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return respond(request, PermissionDenied(f"The CSRF check failed. {reason}".strip()))


def is_api(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in API_PREFIXES)


def _report(exception: BaseException) -> ApiError:
    error = translate(exception)
    if error.code == "internal":
        log.error("request_failed", exc_info=exception)
    elif error.code == "infra_unavailable":
        log.warning("infrastructure_unavailable", exc_info=exception)
    return error


def _declared(exception: BaseException, code: str) -> ApiError:
    details = dict(getattr(exception, "details", None) or {})
    if "fields" in details:
        details["fields"] = _flat(details["fields"])
    return ApiError(
        code,
        str(getattr(exception, "message")),  # noqa: B009 # apps' exceptions share no base class
        details=details,
        retry_after_s=getattr(exception, "retry_after_s", None),
        correlation_id=getattr(exception, "correlation_id", None),
    )


def _fixed(code: str, message: str) -> Callable[[Any], ApiError]:
    return lambda _exception: ApiError(code, message)


def _spoken(code: str, fallback: str) -> Callable[[Any], ApiError]:
    """The exception's own words, which were written for the caller."""
    return lambda exception: ApiError(
        code, str(getattr(exception, "detail", None) or exception) or fallback
    )


def _invalid(exception: drf.ValidationError) -> ApiError:
    return errors.invalid_fields(_flat(exception.detail))


def _throttled(exception: Any) -> ApiError:
    return ApiError(
        "rate_limited", "Too many requests; try again later.", retry_after_s=exception.wait
    )


def _of_the_database(exception: OperationalError) -> ApiError:
    if any(words in str(exception) for words in DISK_FULL):
        return ApiError("insufficient_storage", "The disk under the database is full.")
    return ApiError("infra_unavailable", "The database is not available just now.")


def _flat(detail: Any, name: str = "") -> dict[str, list[str]]:
    """`{"a": {"b": ["wrong"]}, "c": [{}, {"d": ["bad"]}]}` as `a.b` and `c.1.d`."""
    if isinstance(detail, dict):
        nested = detail.items()
    elif isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        nested = ((str(index), item) for index, item in enumerate(detail))  # type: ignore[assignment]
    else:
        messages = detail if isinstance(detail, list) else [detail]
        return {name or "non_field_errors": [str(message) for message in messages]}
    found: dict[str, list[str]] = {}
    for key, value in nested:
        if value:
            found |= _flat(value, f"{name}.{key}" if name else str(key))
    return found


TRANSLATIONS: tuple[tuple[type[BaseException], Callable[[Any], ApiError]], ...] = (
    (drf.ValidationError, _invalid),
    (drf.ParseError, _spoken("malformed_request", "The request could not be read.")),
    (drf.NotAuthenticated, _spoken("unauthenticated", "Sign in first.")),
    (drf.AuthenticationFailed, _spoken("unauthenticated", "The credentials are not valid.")),
    (drf.PermissionDenied, _spoken("forbidden", "You may not do that.")),
    (PermissionDenied, _spoken("forbidden", "You may not do that.")),
    (drf.NotFound, _spoken("not_found", "There is nothing at this address.")),
    # Django's own text lists the patterns it tried.
    (Http404, _fixed("not_found", "There is nothing at this address.")),
    (drf.MethodNotAllowed, _spoken("method_not_allowed", "This address takes other methods.")),
    (drf.UnsupportedMediaType, _spoken("unsupported_media_type", "Send application/json.")),
    (drf.Throttled, _throttled),
    (RequestDataTooBig, _fixed("payload_too_large", "The body is larger than 1 MiB.")),
    (TooManyFieldsSent, _fixed("payload_too_large", "The form has too many fields.")),
    (TooManyFilesSent, _fixed("payload_too_large", "The form has too many files.")),
    (MultiPartParserError, _fixed("malformed_request", "The form could not be read.")),
    (UnreadablePostError, _fixed("malformed_request", "The body ended early.")),
    (DisallowedHost, _fixed("malformed_request", UNKNOWN_HOST)),
    # The text can repeat a hostile header.
    (SuspiciousOperation, _fixed("malformed_request", "The request was refused as unsafe.")),
    (BadRequest, _fixed("malformed_request", "The request could not be understood.")),
    # The pool's timeout and a refused connection arrive as these two; their text names the server.
    (OperationalError, _of_the_database),
    (InterfaceError, _fixed("infra_unavailable", "The database is not available just now.")),
)


def _wants_page(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "") and not is_api(request.path)


def _page(error: ApiError) -> str:
    context = {
        "title": TITLES.get(error.status, "That did not work"),
        "message": error.message,
        "status": error.status,
        "reference": errors.envelope(error)["correlation_id"],
    }
    return render_to_string("error.html", context)


def _settle(request: Request, error: ApiError) -> None:
    """Leaves the request so that the envelope can be drawn from it."""
    if error.code == "unauthenticated":
        # Else drawing the page would authenticate, and fail, again.
        request._not_authenticated()  # type: ignore[attr-defined]
    if not isinstance(getattr(request, "accepted_renderer", None), BrowsableAPIRenderer):
        # A stream's or a page's own renderer cannot draw the envelope.
        request.accepted_renderer = ContractJSONRenderer()
        request.accepted_media_type = ContractJSONRenderer.media_type


def _with_form(data: dict[str, Any], exception: Exception) -> dict[str, Any]:
    """Keeps the serializer beside the envelope: a browsable form shows errors at its fields."""
    serializer = getattr(getattr(exception, "detail", None), "serializer", None)
    return data if serializer is None else ReturnDict(data, serializer=serializer)


def _already_logged(response: AnyResponse) -> AnyResponse:
    """Django would log each 4xx and 5xx again; the access log and `_report` have told it all."""
    response._has_been_logged = True  # type: ignore[attr-defined] # Django's own mark
    return response
