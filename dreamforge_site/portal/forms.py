"""Signing in to the portal: for every active account, staff or not."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from dreamforge_site.accounts.errors import RateLimitedError


class SignInForm(AuthenticationForm):
    """Throttled by the backend, as every other door for passwords."""

    def clean(self) -> dict[str, Any]:
        try:
            return dict(super().clean())
        except RateLimitedError as error:
            raise ValidationError(error.message, code=error.code) from error
