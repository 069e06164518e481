"""How passwords are kept."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher


class BcryptHasher(BCryptSHA256PasswordHasher):
    """bcrypt over SHA-256 (no 72-byte limit) at the configured cost; logins upgrade older ones."""

    @property
    def rounds(self) -> int:  # type: ignore[override]  # the base declares a constant
        return int(settings.BCRYPT_ROUNDS)
