"""Strangers making themselves an account (DF_ALLOW_REGISTRATION)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from dreamforge_site.accounts import names, open_access, throttle
from dreamforge_site.accounts.errors import ForbiddenError, InvalidInputError, NameTakenError
from dreamforge_site.accounts.models import User


def require_open() -> None:
    if not settings.ALLOW_REGISTRATION:
        raise ForbiddenError("Registration is closed here; ask an administrator for an account.")


def register(username: str, password: str, address: str) -> User:
    """A plain user without any permission; of two racing for one name one wins."""
    require_open()
    throttle.admit(throttle.registration(address))
    username = User.normalize_username(username)
    _check_name(username)
    _check_password(username, password)
    try:
        with transaction.atomic():
            return User.objects.create_user(username, password=password)
    except IntegrityError as error:
        raise NameTakenError(username) from error


def _check_name(username: str) -> None:
    key = names.key(username)
    # Whoever holds `default` would be everybody once DF_AUTH is off.
    if key == open_access.NAME or User.objects.filter(name_key=key).exists():
        raise NameTakenError(username)
    try:
        User._meta.get_field("username").run_validators(username)
        names.usable(username)
    except ValidationError as error:
        raise InvalidInputError("username", " ".join(error.messages)) from error


def _check_password(username: str, password: str) -> None:
    try:
        password_validation.validate_password(password, User(username=username))
    except ValidationError as error:
        raise InvalidInputError("password", " ".join(error.messages)) from error
