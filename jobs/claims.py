"""Which waiting job a worker takes next.

Best priority first; within it the share served longest ago; within that a job whose model the
worker has loaded, else the oldest. Each step is one look at an index, whatever the table's size.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from jobs import lifecycle, retries
from jobs.lifecycle import Lease
from jobs.models import SCHEMA_VERSION, Job, JobQuerySet, Queue, Turn
from jobs.states import State

WARM_LOOKAHEAD = 20


def next_lease(
    queue: str, holder: str, types: Collection[str], warm: Collection[uuid.UUID] = ()
) -> Lease | None:
    """Take the best waiting job of `queue`, or None when there is none for this worker."""
    if not waiting(queue, types).exists() or is_paused(queue):
        return None  # looked without taking a write lock: idle workers look every second
    with transaction.atomic():
        job_id = _choose(queue, types, warm)
        return lifecycle.start(job_id, holder) if job_id else None


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


def ensure_turn(queue: str, share: str) -> None:
    Turn.objects.bulk_create([Turn(queue=queue, share=share)], ignore_conflicts=True)


def _choose(queue: str, types: Collection[str], warm: Collection[uuid.UUID]) -> uuid.UUID | None:
    candidates = waiting(queue, types)
    priority = candidates.order_by("-priority").values_list("priority", flat=True).first()
    if priority is None:
        return None
    candidates = candidates.filter(priority=priority)
    turn = _next_turn(queue, candidates)
    if turn is not None:
        candidates = candidates.filter(share=turn.share)
    # Rows that another claimer holds are skipped, not waited for (SQLite has one writer anyway).
    oldest = candidates.order_by("available_at", "id").select_for_update(skip_locked=True)
    chosen = list(oldest.values_list("id", "model_id")[: WARM_LOOKAHEAD if warm else 1])
    if not chosen:
        return None
    if turn is not None:
        _pass_turn(turn)
    return next((job_id for job_id, model in chosen if model in warm), chosen[0][0])


def _next_turn(queue: str, candidates: JobQuerySet) -> Turn | None:
    has_work = Exists(candidates.filter(share=OuterRef("share")))
    return Turn.objects.filter(has_work, queue=queue).order_by("served", "id").first()


def _pass_turn(turn: Turn) -> None:
    last = (
        Turn.objects.filter(queue=turn.queue).order_by("-served").values_list("served", flat=True)
    )
    Turn.objects.filter(id=turn.id).update(served=(last.first() or 0) + 1)
