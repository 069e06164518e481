"""The examples that the OpenAPI document shows for webhooks."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

_AT = "2026-11-20T09:00:00.000000Z"
_ID = "6f3c7a52-0f0b-4e36-9a55-0a1f6f1f6a01"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105  of no use
_WEBHOOK: dict[str, Any] = {
    "id": _ID,
    "url": "https://hooks.example.org/forge",
    "events": ["job.failed", "job.succeeded"],
    "condition": "active",
    "reason": "",
    "failing_since": None,
    "created_at": _AT,
}
_DELIVERY: dict[str, Any] = {
    "id": "b54f4c61-56a3-4d2c-8f5e-0c4d6d4c2e77",
    "message_id": "msg_b54f4c6156a34d2c8f5e0c4d6d4c2e77",
    "webhook_id": _ID,
    "job_id": "3f1c2f3e-8a54-4d0b-9f0e-5b7b6d0f3a11",
    "event": "job.succeeded",
    "url": "https://hooks.example.org/forge",
    "status": "pending",
    "attempts": 1,
    "last_error": "The receiver answered 503.",
    "next_at": "2026-11-20T09:00:01.100000Z",
    "created_at": _AT,
    "finished_at": None,
}
_ATTEMPT = {
    "number": 1,
    "started_at": _AT,
    "finished_at": "2026-11-20T09:00:00.031000Z",
    "duration_ms": 31,
    "status_code": 503,
    "error": "The receiver answered 503.",
    "response": "try later",
}


def _answer(name: str, value: Any, status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


NEW = OpenApiExample(
    "Two of the three events",
    value={
        "url": "https://hooks.example.org/forge",
        "events": ["job.failed", "job.succeeded"],
    },
    request_only=True,
)
MADE = _answer("The webhook and its secret", {**_WEBHOOK, "secret": _SECRET}, "201")
WEBHOOK = _answer("A webhook", _WEBHOOK)
ROTATE = OpenApiExample("Another secret", value={"rotate": True}, request_only=True)
SECRET = _answer(
    "After a rotation",
    {"secret": _SECRET, "previous_until": "2026-11-21T09:00:00.000000Z"},
)
DELIVERY = _answer("To be tried again", _DELIVERY)
OWED = _answer(
    "Owed",
    {**_DELIVERY, "attempts": 0, "last_error": "", "next_at": _AT},
    "202",
)
DELIVERY_DETAIL = _answer("With its attempts", {**_DELIVERY, "log": [_ATTEMPT]})
