"""What is forgotten, and when: by age and by number, never anything that is still under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from jobs.models import Event, IdempotencyKey, Job, Worker
from jobs.states import TERMINAL

BATCH = 500
WORKER_FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Rule:
    """One kind of row that is past its time."""

    name: str
    doomed: Callable[[], QuerySet[Any]]


def run(*, dry_run: bool = False) -> dict[str, int]:
    """Apply every rule; how many rows each removed, or would remove."""
    return {rule.name: rule.doomed().count() if dry_run else _remove(rule.doomed) for rule in RULES}


def _remove(doomed: Callable[[], QuerySet[Any]]) -> int:
    """In small transactions: a writer beside us never waits for a month of rows."""
    removed = 0
    while ids := list(doomed().values_list("pk", flat=True)[:BATCH]):
        doomed().model.objects.filter(pk__in=ids).delete()
        removed += len(ids)
    return removed


def _ended() -> QuerySet[Job]:
    """Jobs that are over; a dead letter stays until somebody has dealt with it."""
    unresolved = Job.objects.dead().values("id")
    return Job.objects.filter(status__in=TERMINAL).exclude(id__in=unresolved)


def _old_jobs() -> QuerySet[Job]:
    return _older(_ended(), "finished_at", settings.RETENTION_JOBS_DAYS)


def _surplus_jobs() -> QuerySet[Job]:
    """Beyond the newest N."""
    keep = settings.RETENTION_JOBS_COUNT
    if not keep:
        return Job.objects.none()
    newest = _ended().order_by("-created_at", "-id")
    oldest_kept = newest.values_list("created_at", flat=True)[keep - 1 : keep].first()
    return _ended().filter(created_at__lt=oldest_kept) if oldest_kept else Job.objects.none()


def _old_events() -> QuerySet[Event]:
    """The chatter of jobs that ended long ago: progress lines tell nothing any more."""
    ended = Event.objects.filter(job__status__in=TERMINAL, code="progress")
    return _older(ended, "ts", settings.RETENTION_EVENTS_DAYS)


def _expired_keys() -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(expires_at__lte=timezone.now())


def _gone_workers() -> QuerySet[Worker]:
    return Worker.objects.filter(seen_at__lt=timezone.now() - WORKER_FORGOTTEN_AFTER)


def _older(rows: QuerySet[Any], field: str, days: int) -> QuerySet[Any]:
    if not days:
        return rows.none()
    return rows.filter(**{f"{field}__lt": timezone.now() - timedelta(days=days)})


RULES = (
    Rule("jobs_by_age", _old_jobs),
    Rule("jobs_by_count", _surplus_jobs),
    Rule("progress_events", _old_events),
    Rule("idempotency_keys", _expired_keys),
    Rule("workers", _gone_workers),
)
