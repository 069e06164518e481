"""Facts about callers. Nothing here hashes, signs or checks: see passwords, tokens, keys."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.crypto import salted_hmac

from dreamforge_site.accounts import clock, names

DIGEST_LENGTH = 64


class NameKeyField(models.CharField):  # type: ignore[type-arg]  # generic only in the stubs
    """Derived from `username` at every save, so that the database refuses a second spelling."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = names.key(getattr(model_instance, "username"))  # noqa: B009  any model that has one
        setattr(model_instance, self.attname, value)
        return value


class UserManager(DjangoUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        """Sign-in finds the user whatever the spelling of the name."""
        return self.get(name_key=names.key(username or ""))


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name_key = NameKeyField(max_length=names.KEY_LENGTH, unique=True, editable=False)

    # How often the account was shut: sessions in browsers end with it (deactivating).
    sessions_ended = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Of the password; and, once the account was shut, of how often it was."""
        known: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]  # not in the stubs
        if not self.sessions_ended:
            return known  # Django's own: sessions from before there was a counter go on
        ended = f"{known}:{self.sessions_ended}"
        salt = "dreamforge.accounts.sessions"
        return salted_hmac(salt, ended, secret=secret, algorithm="sha256").hexdigest()

    def clean(self) -> None:
        super().clean()
        if not self.username:
            return  # what the form has refused already
        try:
            names.usable(self.username)
        except ValidationError as error:
            raise ValidationError({"username": error.messages}) from error
        same_name = User.objects.filter(name_key=names.key(self.username)).exclude(pk=self.pk)
        is_everybody = self.name_key == names.EVERYBODY
        takes_everybodys = names.key(self.username) == names.EVERYBODY and not is_everybody
        if takes_everybodys or same_name.exists():
            raise ValidationError({"username": "A user with that name already exists."})


class SignIn(models.Model):
    """One sign-in with a password: the family that its access and refresh tokens belong to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User,
        on_delete=models.CASCADE,
        related_name="sign_ins",
        db_index=False,  # signin_of_user begins with it
    )
    # Of the password it was made with: another password, and every token of it is dead.
    password_mark = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    last_used_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)  # index: the purge
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "sign-in"
        indexes = [
            # One's own list and everybody's, newest first.
            models.Index(fields=["user", "-created_at", "-id"], name="signin_of_user"),
            models.Index(fields=["-created_at", "-id"], name="signin_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class RefreshToken(models.Model):
    """One refresh token of a sign-in; used once, then it is `rotated`."""

    sign_in = models.ForeignKey(SignIn, on_delete=models.CASCADE, related_name="refresh_tokens")
    digest = models.CharField(max_length=DIGEST_LENGTH, unique=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)  # index: the purge
    rotated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        default_permissions = ()  # nobody handles one by itself

    def __str__(self) -> str:
        return f"refresh token {self.pk}"


class ApiKey(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(
        max_length=100,
        validators=[names.showable],
        help_text="What it is for, so that you know it again.",
    )
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    scopes: models.JSONField[Any, list[str]] = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(
        null=True,
        blank=True,
        validators=[clock.in_future],
        help_text="Leave empty for a key that lives until it is revoked.",
    )
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    # The whole key, on the one instance that has just made it; never stored.
    revealed: str = ""

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        # The owner's list and everybody's, newest first, page by page.
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="apikey_of_owner"),
            models.Index(fields=["-created_at", "-id"], name="apikey_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.name} (dfk_{self.prefix}_…)"

    def state(self, now: datetime) -> str:
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "live"


class AttemptWindow(models.Model):
    """How often somebody tried since the window began; see throttle."""

    # A keyed hash of the address or name: people type passwords into the name field.
    subject = models.CharField(primary_key=True, max_length=DIGEST_LENGTH)
    attempts = models.PositiveIntegerField()
    ends_at = models.DateTimeField(db_index=True)  # index: the purge

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.attempts} attempts until {self.ends_at:%H:%M:%S}"
