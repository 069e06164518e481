"""The operations' addresses beside views that answer, fail and log for the tests."""

from __future__ import annotations

import structlog
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

log = structlog.get_logger(__name__)


def item(_request: HttpRequest, pk: int) -> HttpResponse:
    log.info("item_shown", pk=pk)
    return HttpResponse(str(pk))


def crash(request: HttpRequest) -> HttpResponse:
    headers = dict(request.headers)
    raise RuntimeError(f"crashed while holding {headers}")


urlpatterns = [
    path("", include("dreamforge_site.operations.urls")),
    path("items/<int:pk>", item),
    path("crash", crash),
]
