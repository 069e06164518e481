"""Shutting an account: it is signed out everywhere, and refused from then on."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from dreamforge_site.accounts import sign_ins
from dreamforge_site.accounts.models import User
from registry import auditing


def deactivate(user: User, *, by: Any = None) -> bool:
    """Whether this call did it."""
    with transaction.atomic():
        shut = User.objects.filter(pk=user.pk, is_active=True).update(is_active=False)
        sign_ins.end_all(user)
        if shut:
            moved = auditing.moved("active", "inactive")
            auditing.note(user, by, auditing.sentence("deactivated", moved))
    return bool(shut)
