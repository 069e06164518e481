"""What an API key may be used for, beside what its owner may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from dreamforge_site.accounts import scopes
from dreamforge_site.accounts.models import ApiKey

if TYPE_CHECKING:  # the views import the default permissions while they are being imported
    from rest_framework.views import APIView


class KeyScope(BasePermission):
    """A key needs the scope `read` to look and the view's `scope` to act.

    A view that names no scope, or one that is not in the table, takes a key with `admin`.
    """

    message = "This API key lacks the scope for this call; make a key with it."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return (
            not isinstance(request.auth, ApiKey)
            or needed(request.method, view) in request.auth.scopes
        )


def needed(method: str | None, view: APIView) -> str:
    if method in SAFE_METHODS:
        return scopes.READ
    named = getattr(view, "scope", scopes.ADMIN)
    return named if named in scopes.SCOPES else scopes.ADMIN
