"""With DF_AUTH=off everybody on this machine is one user."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction

from dreamforge_site.accounts import groups, names
from dreamforge_site.accounts.models import User

NAME = names.EVERYBODY


def user() -> User:
    """The user `default`, made on first use; of racing requests one makes it."""
    found = User.objects.filter(name_key=NAME).first()
    return found or _make()


def is_shut(user: User) -> bool:
    """Whether this is the user `default` while DF_AUTH=on: what anybody could make is no key."""
    return bool(settings.AUTH_REQUIRED) and user.name_key == NAME


@transaction.atomic
def _make() -> User:
    made, is_new = User.objects.get_or_create(
        name_key=NAME,
        defaults={"username": NAME, "password": make_password(None), "is_staff": True},
    )
    if is_new:
        made.groups.add(Group.objects.get_or_create(name=groups.OPERATORS)[0])
    return made
