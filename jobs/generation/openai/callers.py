"""Who calls: that API's clients always send a key, also where none is asked for."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.settings import api_settings

from jobs.errors import NotAllowed

_BEARER: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES[0]
OPEN: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES[-1]


class KeyAuthentication(BaseAuthentication):
    """As elsewhere with DF_AUTH=on. With DF_AUTH=off a key that is nobody's counts as none: its
    sender is whom OpenAuthentication, which comes next, takes everybody for."""

    def __init__(self) -> None:
        self._bearer: BaseAuthentication = _BEARER()

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        try:
            return self._bearer.authenticate(request)
        except AuthenticationFailed:
            if settings.AUTH_REQUIRED:
                raise
            return None

    def authenticate_header(self, request: Request) -> str | None:
        return self._bearer.authenticate_header(request)


def require_read(request: Request) -> None:
    """Who may not look at images would wait for nothing: it is said before a job is made."""
    scopes = getattr(request.auth, "scopes", None)  # None: the caller has no API key
    if scopes is not None and "read" not in scopes:
        raise NotAllowed("This API key needs the scope `read`, too, to be given the images.")
