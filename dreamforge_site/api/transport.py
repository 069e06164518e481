"""How the API's answers travel: kept by no cache, and, where https is required, only over it.

A page asked for over plain http is sent on to https. A call of the API is refused: its credentials
were already readable on the way, and a client that follows a redirect would never learn that.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dreamforge_site.api import failures
from dreamforge_site.api.errors import ApiError

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
PLAIN_HTTP = (
    "The API answers over https only: call it by its https address, "
    "and replace the credentials sent in the clear."
)


class ApiTransportMiddleware:
    """Before Django's SecurityMiddleware, which redirects whatever comes by."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not failures.is_api(request.path):
            return self.get_response(request)
        response = self._refusal(request) or self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _refusal(self, request: HttpRequest) -> HttpResponseBase | None:
        if request.is_secure() or not settings.SECURE_SSL_REDIRECT:
            return None
        return failures.respond(request, ApiError("forbidden", PLAIN_HTTP))
