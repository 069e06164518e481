"""The error codes of the contract, the one envelope, and the error the plumbing itself raises.

Any exception of any app becomes an envelope when it has a string `code` out of `STATUS_BY_CODE` and
a `message`; `details`, `retry_after_s` and `correlation_id` are taken along when it has them. No
import of this module is needed for that.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from itertools import islice
from typing import Any

from dreamforge_site import correlation

STATUS_BY_CODE = {
    "malformed_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "upstream_gated": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "idempotency_conflict": 409,
    "idempotency_in_progress": 409,
    "already_downloaded": 409,
    "invalid_state": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "invalid_input": 422,
    "rate_limited": 429,
    "internal": 500,
    "upstream_error": 502,
    "infra_unavailable": 503,
    "insufficient_storage": 507,
}
# What a client should wait when the error itself does not say.
RETRY_AFTER_S = {"rate_limited": 1, "infra_unavailable": 5}
# An answer is not made longer than this by what the client sent.
MAX_FIELDS = 50
MAX_NAME_CHARS = 100
MAX_REASONS = 10
MAX_REASON_CHARS = 500


class ApiError(Exception):
    """An answer that is not 2xx: its code decides the status."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
        correlation_id: object = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s
        self.correlation_id = correlation_id

    @property
    def status(self) -> int:
        return STATUS_BY_CODE[self.code]


def malformed(message: str) -> ApiError:
    return ApiError("malformed_request", message)


def invalid_fields(fields: Mapping[str, list[str]]) -> ApiError:
    """422 that names each field, up to MAX_FIELDS, and what is wrong with it."""
    names = ", ".join(shortened(name, MAX_NAME_CHARS) for name in islice(fields, MAX_FIELDS))
    return ApiError(
        "invalid_input", f"The request is not valid: {names}.", details={"fields": dict(fields)}
    )


def envelope(error: ApiError) -> dict[str, Any]:
    details, unnamed = _bounded(error.details)
    return {
        "code": error.code,
        "message": error.message + (f" {unnamed} more are not named." if unnamed else ""),
        "details": details,
        "correlation_id": str(error.correlation_id or request_id()),
    }


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _bounded(details: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """`details` with the first of their fields, and how many fields were left out."""
    fields = details.get("fields")
    if not isinstance(fields, Mapping):
        return details, 0
    named = {
        shortened(str(name), MAX_NAME_CHARS): [
            shortened(str(reason), MAX_REASON_CHARS) for reason in reasons[:MAX_REASONS]
        ]
        for name, reasons in islice(fields.items(), MAX_FIELDS)
    }
    return {**details, "fields": named}, max(0, len(fields) - MAX_FIELDS)


def request_id() -> str:
    """The id RequestMiddleware bound; a fresh one when the request never got that far."""
    return correlation.current() or uuid.uuid4().hex


def headers(error: ApiError) -> dict[str, str]:
    """The headers an error owes its status."""
    found = {}
    if error.code == "unauthenticated":
        found["WWW-Authenticate"] = "Bearer"
    wait_s = error.retry_after_s or RETRY_AFTER_S.get(error.code)
    if wait_s is not None:
        found["Retry-After"] = str(max(1, round(wait_s)))
    return found
