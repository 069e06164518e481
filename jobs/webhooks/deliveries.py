"""The life of what is owed: claimed for one attempt, then delivered, put off or given up.

    pending ──2xx──▶ delivered
      │ ▲ └──410, or tried for a day──▶ failed
      │ └── an attempt failed: later once more
      └── re-sent by a person, from any of the three

An attempt is claimed by a conditional UPDATE that names its number and puts `next_at` beyond any
attempt's end. A worker that dies leaves the number used and the message owed: it goes out again
under the same id, and the receiver knows it by that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from jobs import leases
from jobs.errors import InvalidState
from jobs.webhooks import endpoints
from jobs.webhooks.hooks import TEST_EVENT
from jobs.webhooks.models import (
    Condition,
    Outcome,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from registry import auditing

# Longer than any attempt: 15 s of talk after the slowest name server.
LEASE = timedelta(seconds=90)
LOOKAHEAD = 50
ERROR_LENGTH = 300
GONE = 410


@dataclass(frozen=True)
class Result:
    """How one attempt went."""

    status_code: int | None = None
    error: str = ""  # empty: delivered
    response: str = ""
    delay_s: float | None = None  # until the next attempt; None: there is none
    duration_ms: int = 0

    @property
    def outcome(self) -> str:
        """In one word: delivered, retried or failed."""
        if not self.error:
            return "delivered"
        return "failed" if self.delay_s is None else "retried"


def due(busy: Collection[str]) -> list[WebhookDelivery]:
    """What waits to be sent, the first for each target that is not busy."""
    sendable = Q(endpoint=None) | Q(endpoint__condition=Condition.ACTIVE) | Q(event=TEST_EVENT)
    rows = (
        WebhookDelivery.objects.filter(
            sendable, status=Outcome.PENDING, next_at__lte=timezone.now()
        )
        .exclude(target__in=busy)
        .order_by("next_at", "id")
        .only("id", "target", "attempts")
    )
    first: dict[str, WebhookDelivery] = {}
    for row in rows[:LOOKAHEAD]:
        first.setdefault(row.target, row)
    return list(first.values())


def claim(seen: WebhookDelivery, holder: str) -> WebhookDelivery | None:
    """The next attempt at it is ours; None: somebody else's."""
    now = timezone.now()
    with transaction.atomic():
        taken = WebhookDelivery.objects.filter(
            id=seen.id, status=Outcome.PENDING, attempts=seen.attempts, next_at__lte=now
        ).update(
            attempts=F("attempts") + 1, tries=F("tries") + 1, next_at=now + LEASE, holder=holder
        )
        if not taken:
            return None
        WebhookAttempt.objects.create(delivery_id=seen.id, number=seen.attempts + 1)
        return WebhookDelivery.objects.select_related("endpoint").get(id=seen.id)


def settle(delivery: WebhookDelivery, result: Result) -> None:
    """Write down how the attempt went, and what follows from it."""
    now = timezone.now()
    with transaction.atomic():
        WebhookAttempt.objects.filter(delivery_id=delivery.id, number=delivery.attempts).update(
            finished_at=now,
            duration_ms=result.duration_ms,
            status_code=result.status_code,
            error=result.error[:ERROR_LENGTH],
            response=result.response,
        )
        held = WebhookDelivery.objects.filter(
            id=delivery.id, status=Outcome.PENDING, attempts=delivery.attempts
        )
        if held.update(
            holder="", last_error=result.error[:ERROR_LENGTH], **_consequence(result, now)
        ):
            _tell_endpoint(delivery, result)


def resend(delivery: WebhookDelivery, *, by: Any = None) -> None:
    """Attempt it now, and if need be for another day."""
    if delivery.endpoint is not None and delivery.endpoint.condition == Condition.DISABLED:
        raise InvalidState("The webhook is disabled; resume it first.")
    with transaction.atomic():
        again = WebhookDelivery.objects.filter(id=delivery.id, holder="").update(
            status=Outcome.PENDING, next_at=timezone.now(), tries=0, finished_at=None
        )
        if not again:
            raise InvalidState("An attempt is under way; wait for its end.")
        moved = auditing.moved(delivery.status, Outcome.PENDING)
        auditing.note(delivery, by, auditing.sentence("sent again", moved))


def release_lost() -> int:
    """Attempts whose process on this machine is dead are made again at once."""
    held = WebhookDelivery.objects.filter(status=Outcome.PENDING, next_at__gt=timezone.now())
    holders = held.exclude(holder="").order_by().values_list("holder", flat=True).distinct()
    gone = [holder for holder in holders if leases.is_gone(holder)]
    return held.filter(holder__in=gone).update(holder="", next_at=timezone.now()) if gone else 0


def _consequence(result: Result, now: datetime) -> dict[str, Any]:
    if not result.error:
        return {"status": Outcome.DELIVERED, "finished_at": now}
    if result.delay_s is None:
        return {"status": Outcome.FAILED, "finished_at": now}
    return {"next_at": now + timedelta(seconds=result.delay_s)}


def _tell_endpoint(delivery: WebhookDelivery, result: Result) -> None:
    """What the answer says of the endpoint behind it; a job's own address has none."""
    if delivery.endpoint_id is None:
        return
    endpoint = WebhookEndpoint.objects.get(id=delivery.endpoint_id)  # the row we hold names it
    if not result.error:
        endpoints.note_success(endpoint)
    elif result.status_code == GONE:
        endpoints.disable(endpoint, "The receiver answered 410 Gone.")
    else:
        endpoints.note_failure(endpoint, result.error)
