"""The message: what happened, when, and the job as `GET /v1/jobs/{id}` shows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from rest_framework.utils.encoders import JSONEncoder

from jobs.api.answers import shown
from jobs.webhooks.errors import Undeliverable
from jobs.webhooks.hooks import TEST_EVENT
from jobs.webhooks.models import WebhookDelivery

MOST_BYTES = 256 * 1024
# Left out of a message that would be too large; the receiver asks the API for them.
BULKY = ("params", "summary", "steps")


def render(delivery: WebhookDelivery) -> str:
    if delivery.event == TEST_EVENT:
        return _text(delivery, delivery.created_at, {"webhook_id": str(delivery.endpoint_id)})
    job = delivery.job
    if job is None:
        raise Undeliverable("The job was removed before its webhook was sent.", final=True)
    data = shown(job)
    moment = job.finished_at or delivery.created_at
    text = _text(delivery, moment, data)
    if len(text.encode()) <= MOST_BYTES:
        return text
    kept = {name: value for name, value in data.items() if name not in BULKY}
    return _text(delivery, moment, {**kept, "truncated": True})


def _text(delivery: WebhookDelivery, moment: datetime, data: dict[str, Any]) -> str:
    message = {
        "type": delivery.event,
        "timestamp": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "data": data,
    }
    return json.dumps(message, cls=JSONEncoder, separators=(",", ":"))
