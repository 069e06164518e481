"""`/healthz`, `/readyz` and `/metrics`: plain views, outside the API's login and throttles."""

from __future__ import annotations

import functools
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from dreamforge_site.api import errors
from dreamforge_site.api.errors import ApiError
from dreamforge_site.operations import exposition, readiness

View = Callable[[HttpRequest], HttpResponse]

METHODS = ("GET", "HEAD")
RETRY_AFTER_S = 2
ALIVE = {"status": "ok"}


def refused(error: ApiError) -> JsonResponse:
    return JsonResponse(errors.envelope(error), status=error.status, headers=errors.headers(error))


def probe(view: View) -> View:
    """Read only, and never from a cache."""

    @functools.wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if request.method in METHODS:
            response = view(request)
        else:
            message = f"{request.method} is not possible here: use GET or HEAD."
            response = refused(ApiError("method_not_allowed", message))
            response["Allow"] = ", ".join(METHODS)
        response["Cache-Control"] = "no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response

    return answer


@probe
def healthz(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(ALIVE)


@probe
def readyz(_request: HttpRequest) -> HttpResponse:
    report = readiness.report()
    checks = {name: check.as_json() for name, check in report.checks.items()}
    if report.ready:
        return JsonResponse({"status": "ready", "checks": checks})
    error = ApiError(
        "infra_unavailable",
        f"Not ready: {', '.join(report.failing)}.",
        details={"checks": checks},
        retry_after_s=RETRY_AFTER_S,
    )
    return refused(error)


@probe
def metrics(request: HttpRequest) -> HttpResponse:
    error = exposition.refusal(request.META.get("REMOTE_ADDR", ""), request.headers)
    if error is not None:
        return refused(error)
    return HttpResponse(exposition.render(), content_type=exposition.CONTENT_TYPE)
