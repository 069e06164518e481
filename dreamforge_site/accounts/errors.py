"""What can go wrong with an account. The API's table of codes turns each into its status."""

from __future__ import annotations

from typing import Any


class AccountError(Exception):
    code = "internal"

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}


class UnauthenticatedError(AccountError):
    """The credentials are wrong, expired, revoked, or their owner may not sign in."""

    code = "unauthenticated"


class ForbiddenError(AccountError):
    code = "forbidden"


class NameTakenError(AccountError):
    code = "conflict"

    def __init__(self, username: str) -> None:
        super().__init__(f"The name {username!r} is taken; choose another.")


class NotFoundError(AccountError):
    code = "not_found"


class InvalidInputError(AccountError):
    code = "invalid_input"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem, {"fields": {field: [problem]}})


class RateLimitedError(AccountError):
    code = "rate_limited"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many attempts; try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s
