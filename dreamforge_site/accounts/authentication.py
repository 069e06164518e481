"""Who is calling: a bearer token, an API key, the admin's session, or (DF_AUTH=off) anybody here.

No credentials at all is a question for the next class; wrong credentials end with 401 at once.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from rest_framework import authentication
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from dreamforge_site.accounts import keys, open_access, origins, sign_ins
from dreamforge_site.accounts.errors import UnauthenticatedError
from dreamforge_site.accounts.models import ApiKey, User
from dreamforge_site.environment import is_loopback

# A proxy on this machine would lend its address to the whole world.
PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
OPEN = "open"  # `request.auth` of a caller without credentials

Caller = tuple[User, ApiKey | str]


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token or API key>`, or `X-API-Key: <API key>`.

    `request.auth` is the ApiKey when a key was used: permissions.KeyScope reads it.
    """

    def authenticate(self, request: Request) -> Caller | None:
        authorization = request.headers.get("Authorization")
        key = request.headers.get("X-API-Key")
        if authorization is None and key is None:
            return None
        if authorization is not None and key is not None:
            raise AuthenticationFailed("Send Authorization or X-API-Key, not both.")
        return _translated(_by_key, key) if key is not None else _by_bearer(authorization or "")

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """The admin's session, with CSRF."""

    def enforce_csrf(self, request: Request) -> None:
        # On Django's own request: the API's form parser has no field for the token.
        super().enforce_csrf(request._request)  # type: ignore[arg-type]  # asks less than it says


class OpenAuthentication(BaseAuthentication):
    """DF_AUTH=off: whoever sends no credentials is the user `default`, from this machine only."""

    def authenticate(self, request: Request) -> Caller | None:
        if settings.AUTH_REQUIRED:
            return None
        if not is_loopback(request.META.get("REMOTE_ADDR", "")):
            raise PermissionDenied("DF_AUTH=off serves this machine only; set DF_AUTH=on.")
        if any(name in request.headers for name in PROXY_HEADERS):
            raise PermissionDenied("DF_AUTH=off serves nobody through a proxy; set DF_AUTH=on.")
        # Without credentials there is no CSRF token either: any page could drive this service.
        if origins.is_foreign(request._request):
            raise PermissionDenied("Pages of other sites may not call; see DF_CORS_ORIGINS.")
        user = open_access.user()
        if not user.is_active:
            raise PermissionDenied("The user `default` is deactivated.")
        return user, OPEN


def _by_bearer(authorization: str) -> Caller:
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise AuthenticationFailed("Use `Authorization: Bearer <token or API key>`.")
    text = credentials.strip()
    return _translated(_by_key if text.startswith(keys.MARK) else _by_token, text)


def _by_key(text: str) -> Caller:
    key = keys.verify(text.strip())
    return key.owner, key


def _by_token(text: str) -> Caller:
    return sign_ins.caller(text), "access token"


def _translated(find: Callable[[str], Caller], text: str) -> Caller:
    try:
        return find(text)
    except UnauthenticatedError as error:
        raise AuthenticationFailed(error.message) from error
