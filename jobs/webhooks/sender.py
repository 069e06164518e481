"""Threads beside the io worker's slots that deliver what is owed.

A receiver that hangs keeps one of these threads for its fifteen seconds and never a slot; and as
one process talks to a target once at a time, one dead receiver leaves the other threads alone.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import replace

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from jobs import leases, metrics
from jobs.patience import persist
from jobs.webhooks import deliveries, endpoints, guard, payload, schedule, signing, transport
from jobs.webhooks.deliveries import Result
from jobs.webhooks.errors import BadAddress, Undeliverable
from jobs.webhooks.models import Keyed, WebhookDelivery
from jobs.webhooks.transport import Answer

log = structlog.get_logger(__name__)

QUEUE = "io"
AT_ONCE = 4
LOOK_EVERY_S = 1.0
RELEASE_EVERY_S = 5.0
KEPT_CHARS = 2000
USER_AGENT = "Dream-Forge-Webhooks/1"
# A receiver may repeat our own headers to us, or say things of its own that nobody should keep.
SECRETS = re.compile(
    r"whsec_[A-Za-z0-9+/=_-]+|v1,[A-Za-z0-9+/=]{20,}|\b(?:dfk|hf)_[A-Za-z0-9_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|(?i:\b(?:bearer|basic) )\S{6,}"
)
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Sender:
    """Looks for due deliveries until `stopping` is set. Each attempt has a thread of its own."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._holder = leases.new_holder("webhooks")
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._released_at = -RELEASE_EVERY_S

    def start(self) -> None:
        threading.Thread(target=self._keep_looking, name="webhooks", daemon=True).start()

    def look(self) -> int:
        """Start attempts at what is due, as many as there is room for; how many were started."""
        room = AT_ONCE - len(self._busy_now())
        if room <= 0:
            return 0
        claimed = [
            found
            for seen in deliveries.due(self._busy_now())[:room]
            if (found := deliveries.claim(seen, self._holder))
        ]
        for delivery in claimed:
            self._begin(delivery)
        return len(claimed)

    def _keep_looking(self) -> None:
        while not self._stopping.is_set():
            started = 0
            try:
                self._release_if_due()
                started = self.look()
            except (OperationalError, InterfaceError) as error:
                log.warning("database_away", task="webhooks", error=type(error).__name__)
                connection.close()
            except Exception:  # the border of this thread, which lives as long as the process
                log.exception("webhooks_look_broke")
            finally:
                close_old_connections()
            if not started:
                self._stopping.wait(LOOK_EVERY_S)

    def _release_if_due(self) -> None:
        if time.monotonic() - self._released_at >= RELEASE_EVERY_S:
            self._released_at = time.monotonic()
            deliveries.release_lost()

    def _begin(self, delivery: WebhookDelivery) -> None:
        with self._lock:
            self._busy.add(delivery.target)
        name = f"webhook-{delivery.id.hex[:8]}"
        threading.Thread(target=self._send, args=[delivery], name=name, daemon=True).start()

    def _send(self, delivery: WebhookDelivery) -> None:
        try:
            send(delivery)
        finally:
            connection.close()
            with self._lock:
                self._busy.discard(delivery.target)

    def _busy_now(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._busy)


def send(delivery: WebhookDelivery) -> None:
    """Make the claimed attempt and write down how it went."""
    started = time.monotonic()
    result = _attempt(delivery)
    result = replace(result, duration_ms=round((time.monotonic() - started) * 1000))
    persist(lambda: deliveries.settle(delivery, result))
    metrics.webhook_attempted(result.outcome)
    log.info(
        "webhook_attempted",
        delivery_id=str(delivery.id),
        job_id=str(delivery.job_id or ""),
        webhook_event=delivery.event,
        target=delivery.target,
        number=delivery.attempts,
        status=result.status_code,
        problem=result.error,
        duration_ms=result.duration_ms,
    )


def _attempt(delivery: WebhookDelivery) -> Result:
    again_s = schedule.delay_s(delivery.tries, random.random())  # noqa: S311  no secret
    try:
        return _judged(_post(delivery), again_s)
    except Undeliverable as failure:
        return Result(error=str(failure), delay_s=None if failure.final else again_s)
    except BadAddress as failure:
        return Result(error=failure.reason, delay_s=again_s)
    except Exception:  # the border of this thread: a fault of ours is an attempt that failed
        log.exception("webhook_attempt_broke", delivery_id=str(delivery.id))
        return Result(error="Something broke on our side; the log has it.", delay_s=again_s)


def _judged(answer: Answer, again_s: float | None) -> Result:
    """What the receiver's answer means."""
    error = _complaint(answer.status)
    asked_s = schedule.asked_delay_s(answer.status, answer.retry_after, timezone.now())
    later_s = None if again_s is None or answer.status == deliveries.GONE else max(again_s, asked_s)
    return Result(answer.status, error, _kept(answer.body), later_s)


def _post(delivery: WebhookDelivery) -> Answer:
    keyed = persist(lambda: _keyed(delivery))
    body = persist(lambda: _body(delivery)).encode()
    headers: Mapping[str, str] = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        **signing.headers(keyed, delivery.message_id, timezone.now(), body),
    }
    allowed = settings.WEBHOOK_ALLOWED_NETWORKS
    return transport.post(guard.check_form(delivery.url, allowed), headers, body, allowed)


def _keyed(delivery: WebhookDelivery) -> Keyed:
    return delivery.endpoint or endpoints.account_key(delivery.owner_id)


def _body(delivery: WebhookDelivery) -> str:
    """Rendered once: every attempt sends the same bytes."""
    if not delivery.body:
        delivery.body = payload.render(delivery)
        WebhookDelivery.objects.filter(id=delivery.id).update(body=delivery.body)
    return delivery.body


def _complaint(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"The receiver answered {status}: redirects are not followed."
    return f"The receiver answered {status}."


def _kept(body: bytes) -> str:
    """The beginning of an answer for people to read; secrets and control characters masked."""
    text = SECRETS.sub("***", body.decode("utf-8", "replace"))
    return UNPRINTABLE.sub("�", text)[:KEPT_CHARS]
