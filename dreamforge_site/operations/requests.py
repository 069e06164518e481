"""What every request leaves behind: its id in the answer, one log line, one measurement."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject, empty

from dreamforge_site import correlation
from dreamforge_site.operations import metrics

log = structlog.get_logger(__name__)

request_id_from = correlation.from_headers

PROBES = frozenset({"healthz", "readyz", "metrics"})
UNMATCHED = "unmatched"
LONGEST_PATH = 1024
STATIC = "static/<path>"


class RequestMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        metrics.join()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = request_id_from(request.headers)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response[correlation.ANSWERED_IN] = request_id
            _record(request, response, time.perf_counter() - started)
        finally:
            structlog.contextvars.clear_contextvars()
        return response


def _record(request: HttpRequest, response: HttpResponseBase, took_s: float) -> None:
    record(
        method=request.method or "",
        route=_route(request),
        # The path without its query: a query may hold a signature or a token.
        path=request.path[:LONGEST_PATH],
        status=response.status_code,
        took_s=took_s,
        user_id=_user_id(request),
    )


def record(
    *,
    method: str,
    route: str,
    path: str,
    status: int,
    took_s: float,
    user_id: str | None,
    **more: str,
) -> None:
    """One measurement and one line."""
    metrics.observe_request(route, method, status, took_s)
    tell = log.debug if route in PROBES else log.info
    tell(
        "request",
        method=method,
        route=route,
        path=path,
        status=status,
        duration_ms=round(took_s * 1000, 3),
        user_id=user_id,
        **more,
    )


def _route(request: HttpRequest) -> str:
    """The URL's pattern: as many values as the service has addresses, whatever clients ask for."""
    match = request.resolver_match
    if match is not None and match.url_name != UNMATCHED:
        return match.route
    if request.path.startswith(str(settings.STATIC_URL)):
        return STATIC
    return UNMATCHED


def _user_id(request: HttpRequest) -> str | None:
    """Who called, if somebody already asked; a log line is no reason to query the database."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject) and user.__dict__.get("_wrapped", empty) is empty:
        return None
    key = getattr(user, "pk", None)
    return None if key is None else str(key)
