"""The administrator a first start creates, so that there is somebody to sign in as."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from dreamforge_site.accounts import names
from dreamforge_site.accounts.errors import AccountError
from dreamforge_site.accounts.models import User

# No characters that look like each other: it is read off a terminal.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS = 4
GROUP_LENGTH = 5


@dataclass(frozen=True)
class FirstAdmin:
    username: str
    password: str | None  # only when it was generated just now; kept nowhere
    created: bool


def ensure() -> FirstAdmin:
    """Make DF_ADMIN_USER if there is no superuser; twice, or two at once, make one."""
    existing = _existing()
    if existing is not None:
        return existing
    environment = settings.ENVIRONMENT
    _check_name(environment.admin_user)
    given = environment.admin_password
    generated = None if given else generate_password()
    password = given.get_secret_value() if given else generated
    try:
        with transaction.atomic():
            User.objects.create_superuser(environment.admin_user, password=password)
    except IntegrityError as error:
        existing = _existing()
        if existing is None:
            name = environment.admin_user
            raise AccountError(
                f"DF_ADMIN_USER: {name!r} is no administrator; choose another name."
            ) from error
        return existing
    return FirstAdmin(environment.admin_user, generated, created=True)


def generate_password() -> str:
    """About 99 random bits in four groups."""
    return "-".join(
        "".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS)
    )


def _check_name(username: str) -> None:
    """Past the form of DF_ADMIN_USER: a name that could not sign in, or not be seen."""
    try:
        names.usable(username)
    except ValidationError as error:
        raise AccountError(f"DF_ADMIN_USER: {' '.join(error.messages)}") from error
    if names.key(username) == names.EVERYBODY:
        raise AccountError(
            f"DF_ADMIN_USER: {username!r} is the user of DF_AUTH=off; choose another name."
        )


def _existing() -> FirstAdmin | None:
    found = User.objects.filter(is_superuser=True, is_active=True).order_by("date_joined").first()
    return FirstAdmin(found.username, None, created=False) if found else None
