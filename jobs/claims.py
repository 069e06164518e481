"""Which waiting job a worker takes next.

Best priority first; within it the shares (owners) take turns; within a share a job whose model the
worker has loaded, else the oldest. Each step is one look at an index, whatever the table's size.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, Q
from django.utils import timezone

from jobs import lifecycle, retries
from jobs.lifecycle import Lease
from jobs.models import SCHEMA_VERSION, Job, JobQuerySet, Queue
from jobs.states import State

WARM_LOOKAHEAD = 20
# A job that has waited this long goes before younger ones, whatever model is loaded.
WARM_PATIENCE = timedelta(minutes=5)

# The share each queue of this process served last. Its own memory is enough: when every worker lets
# the shares take turns, so does the service. A row in the database would be one more thing that all
# claims lock, and a share's row could be missing.
_served: dict[str, str] = {}


def next_lease(
    queue: str,
    holder: str,
    types: Collection[str],
    warm: Collection[uuid.UUID] = (),
    *,
    suspects: bool = True,
) -> Lease | None:
    """Take the best waiting job of `queue`, or None when there is none for this worker. Without
    `suspects` it leaves jobs whose worker died under them: two never run in one process, or one
    that kills its workers would take an innocent one with it again and again."""
    candidates = startable(queue, types)
    if not suspects:
        candidates = candidates.exclude(error_code="worker_lost")
    candidates = candidates.order_by("-priority", "share", "available_at", "id")
    best = candidates.values_list("priority", flat=True).first()
    if best is None:
        return None  # looked without taking a write lock: idle workers look every second
    with transaction.atomic():
        chosen = _choose(queue, candidates, best, warm)
        lease = lifecycle.start(chosen.id, holder) if chosen else None
    if chosen and lease:
        _served[queue] = chosen.share
    return lease


def forget_turns() -> None:
    """Begin with the first share."""
    _served.clear()


def startable(queue: str, types: Collection[str]) -> JobQuerySet:
    """What waits for a worker of ours; nothing while the queue is paused."""
    paused = Queue.objects.filter(name=queue, paused=True)
    return waiting(queue, types).filter(~Exists(paused))


def waiting(queue: str, types: Collection[str]) -> JobQuerySet:
    now = timezone.now()
    # No retry waits longer than MAX_DELAY_S: a time beyond that was written under another clock.
    due = Q(available_at__lte=now) | Q(
        available_at__gt=now + timedelta(seconds=retries.MAX_DELAY_S)
    )
    return Job.objects.filter(
        due,
        queue=queue,
        status=State.QUEUED,
        type__in=types,
        schema_version__lte=SCHEMA_VERSION,  # a newer job waits for a newer worker
    )


def is_paused(queue: str) -> bool:
    return Queue.objects.filter(name=queue, paused=True).exists()


def _choose(
    queue: str, candidates: JobQuerySet, best: int, warm: Collection[uuid.UUID]
) -> Job | None:
    """The turn goes round: the next share after the one served last, then again from the first.
    Each is a seek in the index of the claim. (One query that found the best priority by itself made
    PostgreSQL sort the whole queue.)"""
    first = candidates.filter(priority=best)
    after = first.filter(share__gt=_served.get(queue, ""))
    # The last one is for a claimer who finds all of the best priority in others' hands.
    for jobs in (after, first, candidates):
        found = _locked(jobs, WARM_LOOKAHEAD if warm else 1)
        if found:
            return _warmest(found, warm)
    return None


def _locked(jobs: JobQuerySet, count: int) -> list[Job]:
    """Rows that another claimer holds are skipped, not waited for; no two claims can therefore
    wait for each other. (SQLite has one writer anyway.)"""
    locked = jobs.select_for_update(skip_locked=True, of=("self",))
    return list(locked.only("share", "model_id", "available_at")[:count])


def _warmest(found: Sequence[Job], warm: Collection[uuid.UUID]) -> Job:
    """Of the first share's jobs one whose model is loaded, unless the oldest has waited enough."""
    oldest = found[0]
    if timezone.now() - oldest.available_at > WARM_PATIENCE:
        return oldest
    same = (job for job in found if job.share == oldest.share and job.priority == oldest.priority)
    return next((job for job in same if job.model_id in warm), oldest)
