"""What is forgotten, and when: by age and by number, never anything that is still under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs import leftovers
from jobs.models import Artifact, Event, IdempotencyKey, Job, Worker
from jobs.states import TERMINAL
from jobs.webhooks.models import WebhookDelivery

BATCH = 500
WORKER_FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Rule:
    """One kind of row that is past its time."""

    name: str
    doomed: Callable[[], QuerySet[Any]]
    remove: Callable[[QuerySet[Any]], Any] = lambda rows: rows.delete()


def run(*, dry_run: bool = False) -> dict[str, int]:
    """Apply every rule; how many rows each removed, or would remove. (A row that two rules name
    stands under both in a dry run.)"""
    if dry_run:
        return {rule.name: rule.doomed().count() for rule in RULES}
    removed = {rule.name: _remove(rule) for rule in RULES}
    return {**removed, "files": leftovers.clear()}


def _remove(rule: Rule) -> int:
    """In small transactions: a writer beside us never waits for a month of rows. The rule is asked
    again as the rows go, for some may have been saved since they were looked up."""
    removed = 0
    while ids := list(rule.doomed().values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            still = rule.doomed().model.objects.filter(pk__in=rule.doomed().filter(pk__in=ids))
            rule.remove(still)
        removed += len(ids)
    return removed


def _ended() -> QuerySet[Job]:
    """Jobs that are over; a dead letter stays until somebody has dealt with it."""
    settled = Q(dead_at__isnull=True) | Q(dead_resolved_at__isnull=False)
    return Job.objects.filter(settled, status__in=TERMINAL)


def _old_artifacts() -> QuerySet[Artifact]:
    ended = Artifact.objects.filter(job__status__in=TERMINAL)
    return _older(ended, "created_at", settings.RETENTION_ARTIFACTS_DAYS)


def _surplus_artifacts() -> QuerySet[Artifact]:
    ended = Artifact.objects.filter(job__status__in=TERMINAL)
    return _beyond_newest(ended, settings.RETENTION_ARTIFACTS_COUNT)


def _old_jobs() -> QuerySet[Job]:
    return _older(_ended(), "finished_at", settings.RETENTION_JOBS_DAYS)


def _surplus_jobs() -> QuerySet[Job]:
    return _beyond_newest(_ended(), settings.RETENTION_JOBS_COUNT)


def _beyond_newest(rows: QuerySet[Any], keep: int) -> QuerySet[Any]:
    if not keep:
        return rows.none()
    newest = rows.order_by("-created_at", "-id").values_list("created_at", flat=True)
    last_kept = newest[keep - 1 : keep].first()
    return rows.filter(created_at__lt=last_kept) if last_kept else rows.none()


def _old_events() -> QuerySet[Event]:
    """The chatter of jobs that ended long ago: progress lines tell nothing any more."""
    ended = Event.objects.filter(job__status__in=TERMINAL, code="progress")
    return _older(ended, "ts", settings.RETENTION_EVENTS_DAYS)


def _expired_keys() -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(expires_at__lte=timezone.now())


def _gone_workers() -> QuerySet[Worker]:
    return Worker.objects.filter(seen_at__lt=timezone.now() - WORKER_FORGOTTEN_AFTER)


def _old_deliveries() -> QuerySet[WebhookDelivery]:
    return _older(WebhookDelivery.objects.all(), "created_at", settings.RETENTION_WEBHOOKS_DAYS)


def _older(rows: QuerySet[Any], field: str, days: int) -> QuerySet[Any]:
    if not days:
        return rows.none()
    return rows.filter(**{f"{field}__lt": timezone.now() - timedelta(days=days)})


RULES = (
    Rule("artifacts_by_age", _old_artifacts, leftovers.forget_artifacts),
    Rule("artifacts_by_count", _surplus_artifacts, leftovers.forget_artifacts),
    Rule("jobs_by_age", _old_jobs, leftovers.forget_jobs),
    Rule("jobs_by_count", _surplus_jobs, leftovers.forget_jobs),
    Rule("progress_events", _old_events),
    Rule("idempotency_keys", _expired_keys),
    Rule("workers", _gone_workers),
    Rule("webhook_deliveries", _old_deliveries),
)
