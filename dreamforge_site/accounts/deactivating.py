"""Shutting an account: it is signed out everywhere, and refused from then on."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from dreamforge_site.accounts import sign_ins
from dreamforge_site.accounts.models import User
from registry import auditing


def deactivate(user: User, *, by: Any = None) -> bool:
    """Whether this call did it."""
    with transaction.atomic():
        shut = User.objects.filter(pk=user.pk, is_active=True).update(is_active=False)
        sign_out_everywhere(user)
        if shut:
            moved = auditing.moved("active", "inactive")
            auditing.note(user, by, auditing.sentence("deactivated", moved))
    return bool(shut)


def sign_out_everywhere(user: User) -> None:
    """Programs and browsers alike: nothing that was begun goes on when the account opens again."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)
        sign_ins.end_all(user)
