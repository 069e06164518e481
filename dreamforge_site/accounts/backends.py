"""The one door for passwords: whatever asks Django to authenticate is throttled."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from dreamforge_site.accounts import open_access, throttle
from dreamforge_site.accounts.models import User


class ThrottledBackend(ModelBackend):
    """Raises RateLimitedError. A wrong name and a wrong password cost and answer the same."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if username is None or password is None:
            return None
        # The server has already put the client's address there (DF_TRUSTED_PROXIES).
        address = request.META.get("REMOTE_ADDR", "") if request is not None else None
        attempt = throttle.sign_in(username, address)
        throttle.admit(attempt)
        user = super().authenticate(request, username=username, password=password, **kwargs)
        if user is not None:
            throttle.give_back(attempt)
        return user

    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        """Asked at the sign-in, and of a session at every request."""
        is_shut = isinstance(user, User) and open_access.is_shut(user)
        return not is_shut and super().user_can_authenticate(user)
