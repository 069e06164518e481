"""The addresses of an account: made, paused, resumed, tested; and the keys that sign for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin.models import ADDITION, DELETION
from django.db import transaction
from django.utils import timezone

from jobs.errors import InvalidState
from jobs.webhooks import outbox, signing
from jobs.webhooks.errors import TooManyEndpoints
from jobs.webhooks.hooks import TEST_EVENT, Hook
from jobs.webhooks.models import (
    Condition,
    Outcome,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookKey,
)
from registry import auditing

MOST_PER_ACCOUNT = 20
REASON_LENGTH = 200
PAUSE_AFTER = timedelta(hours=24)


def create(owner: Any, hook: Hook, *, by: Any = None) -> WebhookEndpoint:
    if WebhookEndpoint.objects.filter(owner=owner).count() >= MOST_PER_ACCOUNT:
        raise TooManyEndpoints(f"An account has at most {MOST_PER_ACCOUNT} webhooks; delete one.")
    with transaction.atomic():
        made = WebhookEndpoint.objects.create(
            owner=owner, url=hook.url, events=list(hook.events), salt=signing.new_salt()
        )
        auditing.note(made, by, auditing.sentence("made", _about(made)), ADDITION)
    return made


def remove(endpoint: WebhookEndpoint, *, by: Any = None) -> None:
    """Nothing more is sent to it, and what was owed goes with it."""
    with transaction.atomic():
        note_removal(endpoint, by)
        endpoint.delete()


def note_removal(endpoint: WebhookEndpoint, by: Any) -> None:
    """Said before it goes."""
    auditing.note(endpoint, by, auditing.sentence("deleted", _about(endpoint)), DELETION)


def account_key(owner_id: Any) -> WebhookKey:
    """What signs the messages of jobs that name an address themselves; made on first use."""
    found, _ = WebhookKey.objects.get_or_create(
        owner_id=owner_id, defaults={"salt": signing.new_salt()}
    )
    return found


def rotate(keyed: WebhookEndpoint | WebhookKey, *, by: Any = None) -> None:
    """Another secret; the old one signs beside it for a day."""
    with transaction.atomic():
        fresh = type(keyed).objects.select_for_update().get(pk=keyed.pk)
        signing.rotate(fresh)
        fresh.save(update_fields=["salt", "previous_salt", "previous_until"])
        auditing.note(fresh, by, "given another secret.")
    keyed.refresh_from_db()


def test(endpoint: WebhookEndpoint, *, by: Any) -> WebhookDelivery:
    """Owe the endpoint a message that means nothing; sent although it is paused."""
    if endpoint.condition == Condition.DISABLED:
        raise InvalidState("The webhook is disabled; resume it first.")
    pending = endpoint.deliveries.filter(event=TEST_EVENT, status=Outcome.PENDING)
    if pending.exists():
        raise InvalidState("A test of this webhook is still on its way.")
    owed = outbox.delivery(endpoint.owner_id, endpoint.url, TEST_EVENT, endpoint=endpoint)
    with transaction.atomic():
        owed.save(force_insert=True)
        auditing.note(endpoint, by, "sent a test.")
    return owed


def resume(endpoint: WebhookEndpoint, *, by: Any = None) -> bool:
    """Send again, what has waited first."""
    resting = (Condition.PAUSED, Condition.DISABLED)
    with transaction.atomic():
        waiting = WebhookDelivery.objects.filter(
            endpoint_id=endpoint.id, status=Outcome.PENDING, holder=""
        )
        waiting.update(next_at=timezone.now())
        turned = _turn(endpoint.id, resting, Condition.ACTIVE, "", failing_since=None)
        if turned:
            _tell(endpoint, "resumed", by)
    return turned


def disable(endpoint: WebhookEndpoint, reason: str, *, by: Any = None) -> bool:
    """Owe nothing more, and give up what is owed."""
    with transaction.atomic():  # deliveries before their endpoint, as everywhere: no deadlock
        WebhookDelivery.objects.filter(endpoint_id=endpoint.id, status=Outcome.PENDING).update(
            status=Outcome.FAILED, finished_at=timezone.now(), last_error=reason
        )
        turned = _turn(endpoint.id, outbox.OWED, Condition.DISABLED, reason)
        if turned:
            _tell(endpoint, "disabled", by)
    return turned


def note_failure(endpoint: WebhookEndpoint, error: str) -> None:
    """Failing for a day, an endpoint is paused."""
    now = timezone.now()
    if endpoint.failing_since is None:
        WebhookEndpoint.objects.filter(id=endpoint.id).update(failing_since=now)
    elif now - endpoint.failing_since >= PAUSE_AFTER:
        reason = f"Failing for a day: {error}"[:REASON_LENGTH]
        _turn(endpoint.id, (Condition.ACTIVE,), Condition.PAUSED, reason)


def note_success(endpoint: WebhookEndpoint) -> None:
    """It hears us: what was held back goes out again."""
    if endpoint.failing_since is not None:
        WebhookEndpoint.objects.filter(id=endpoint.id).update(failing_since=None)
    if endpoint.condition == Condition.PAUSED:
        _turn(endpoint.id, (Condition.PAUSED,), Condition.ACTIVE, "")


def _turn(
    endpoint_id: Any, origins: tuple[Condition, ...], target: Condition, reason: str, **more: Any
) -> bool:
    found = WebhookEndpoint.objects.filter(id=endpoint_id, condition__in=origins)
    return bool(found.update(condition=target, reason=reason, **more))


def _tell(seen: WebhookEndpoint, done: str, by: Any) -> None:
    """`seen`: as it stood before."""
    now = WebhookEndpoint.objects.get(id=seen.id)
    moved = auditing.moved(seen.condition, now.condition)
    auditing.note(now, by, auditing.sentence(done, moved))


def _about(endpoint: WebhookEndpoint) -> str:
    """Its host alone: the rest of an address can be as good as a password."""
    host = urlsplit(endpoint.url).hostname or ""
    owner = endpoint.owner.get_username()
    facts = {"of": owner, "host": host, "events": ", ".join(endpoint.events)}
    return auditing.facts(facts)
