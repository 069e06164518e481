"""Who looks at a page of the portal, and what they may start: a page shows no button whose call
would be refused."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from dreamforge_site.accounts.authentication import OpenAuthentication, SessionAuthentication
from dreamforge_site.accounts.models import User
from jobs import kinds, submission
from jobs.api.access import CHANGE
from jobs.errors import NotAllowed


def visitor(request: HttpRequest) -> User | None:
    """Whom `/v1` would take this browser for, by its session or because sign-in is off."""
    ways = [SessionAuthentication(), OpenAuthentication()]
    try:
        found = Request(request, authenticators=ways).user
    except APIException:  # no session, and not from this machine
        return None
    return found if isinstance(found, User) else None


def told(user: User) -> dict[str, Any]:
    """What the page's script is told of its user."""
    return {
        "id": str(user.pk),
        "username": user.get_username(),
        "is_staff": user.is_staff,
        "may_act_for_others": user.has_perm(CHANGE),
        "may_start": [kind.name for kind in kinds.table().values() if _may_start(user, kind)],
    }


def _may_start(user: User, kind: kinds.Kind) -> bool:
    try:
        submission.check_permission(kind, user)
    except NotAllowed:
        return False
    return True
