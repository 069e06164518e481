"""How the OpenAPI document speaks of our ways to authenticate."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

AUTHENTICATION = "dreamforge_site.accounts.authentication"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = f"{AUTHENTICATION}.BearerAuthentication"
    name = ["accessToken", "apiKeyBearer", "apiKeyHeader"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The `token` that `POST /v1/auth/login` answers.",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "dfk_<prefix>_<secret>",
                "description": "An API key as the bearer token.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "description": "An API key in a header of its own.",
            },
        ]


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "dreamforge_site.accounts.authentication.SessionAuthentication"
    name = "session"
    match_subclasses = True

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The admin's session; a call that changes something also needs the "
            "CSRF token in `X-CSRFToken`.",
        }


class OpenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A development convenience is no way to authenticate: the document is the same without it."""

    target_class = f"{AUTHENTICATION}.OpenAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return []

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return []
