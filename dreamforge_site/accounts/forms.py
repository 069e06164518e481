"""The admin's forms for accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from dreamforge_site.accounts import scopes, throttle
from dreamforge_site.accounts.errors import RateLimitedError
from dreamforge_site.accounts.models import ApiKey, User


class SignInForm(AuthenticationForm):  # type: ignore[misc]  # unfold has no types
    def clean(self) -> dict[str, Any]:
        try:
            return dict(super().clean())
        except RateLimitedError as error:
            raise ValidationError(error.message, code=error.code) from error


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """A guess at the old password counts as one at the sign-in: a session may be stolen."""

    def clean_old_password(self) -> str:
        attempt = throttle.sign_in(self.user.get_username(), None)
        try:
            throttle.admit(attempt)
        except RateLimitedError as error:
            raise ValidationError(error.message, code=error.code) from error
        old = str(super().clean_old_password())
        throttle.give_back(attempt)
        return old


class UserForm(forms.ModelForm[User]):
    """Without the password: it has a form of its own, and its hash is nobody's to see."""

    class Meta:
        model = User
        exclude = ("password",)  # noqa: DJ006  whatever else a user has, it shows


class NewApiKeyForm(forms.ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {does}") for name, does in scopes.SCOPES.items()],
        initial=[scopes.READ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="A key can do what its owner may do and its scopes name.",
    )

    class Meta:
        model = ApiKey
        fields = ("owner", "name", "scopes", "expires_at")
