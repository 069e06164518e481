"""The one writer of a job's status.

Every move is a conditional UPDATE (id, expected state, fencing token) and its events, in one
transaction. Zero rows changed means that somebody was faster: the functions then return None or
False, which is a normal answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs import events, plain
from jobs.errors import Failure
from jobs.events import Note
from jobs.models import Artifact, Job, Step
from jobs.states import TERMINAL, State, may_move
from jobs.webhooks import outbox

NO_ERROR: dict[str, Any] = {"error_code": "", "error_message": "", "error_detail": ""}
CANCELED = {**NO_ERROR, "error_code": "canceled"}


@dataclass(frozen=True)
class Lease:
    """The right to write about a running job, until somebody takes the next claim."""

    job_id: uuid.UUID
    claim: int
    holder: str


def start(job_id: uuid.UUID, holder: str) -> Lease | None:
    """queued → running: take the lease, use up an attempt. The error of an attempt before stays
    until this one has ended: it tells why there is a second."""
    now = timezone.now()
    changes = {
        "claim": F("claim") + 1,
        "attempts": F("attempts") + 1,
        "beat": F("beat") + 1,
        "lease_holder": holder,
        "lease_expires_at": now + timedelta(seconds=settings.JOB_LEASE_S),
        "started_at": now,
        "finished_at": None,
        "progress": 0.0,
        "progress_state": {},
    }
    with transaction.atomic():
        note = Note("job.start", "The job starts.", payload={"worker": holder})
        if not _move(job_id, State.QUEUED, State.RUNNING, changes, [note]):
            return None
        claim = Job.objects.values_list("claim", flat=True).get(id=job_id)
    return Lease(job_id, claim, holder)


def succeed(lease: Lease, summary: dict[str, Any] | None = None) -> bool:
    changes = {"progress": 1.0, **NO_ERROR}
    if summary is not None:
        changes["summary"] = plain.data(summary)
    note = Note("job.finish", "The job succeeded.", payload={"status": State.SUCCEEDED})
    return _finish(lease, State.SUCCEEDED, changes, [note])


def fail(lease: Lease, failure: Failure, *, dead: bool = False) -> bool:
    """running → failed. `dead` puts it on the list of jobs that used up their attempts."""
    changes: dict[str, Any] = _error(failure)
    if dead:
        changes["dead_at"] = timezone.now()
    end = Note("job.finish", "The job failed.", "error", {"status": State.FAILED, "dead": dead})
    return _finish(lease, State.FAILED, changes, [_error_note(failure), end])


def cancel_running(lease: Lease, **expected: Any) -> bool:
    note = Note("job.finish", "The job was canceled.", payload={"status": State.CANCELED})
    return _finish(lease, State.CANCELED, CANCELED, [note], **expected)


def cancel_queued(job_id: uuid.UUID) -> bool:
    now = timezone.now()
    changes = {"finished_at": now, "cancel_requested_at": now, **CANCELED}
    note = Note("job.finish", "The job was canceled.", payload={"status": State.CANCELED})
    return _move(job_id, State.QUEUED, State.CANCELED, changes, [note])


def request_cancel(job_id: uuid.UUID) -> bool:
    """Ask the holder of a running job to stop; it answers with a move of its own."""
    with transaction.atomic():
        asked = Job.objects.filter(
            id=job_id, status=State.RUNNING, cancel_requested_at__isnull=True
        ).update(cancel_requested_at=timezone.now(), last_seq=F("last_seq") + 1)
        if asked:
            events.insert_numbered(job_id, [Note("cancel.requested", "Cancel was requested.")])
    return bool(asked)


def retry_later(lease: Lease, failure: Failure, delay_s: float) -> bool:
    """running → queued after a transient failure: the attempt stays used up."""
    available_at = timezone.now() + timedelta(seconds=delay_s)
    message = f"Trying again in {delay_s:.1f} s."
    payload = {"delay_s": round(delay_s, 3), "code": failure.code}
    notes = [_error_note(failure), Note("retry.scheduled", message, "warning", payload)]
    return _give_back(lease, available_at, _error(failure), notes)


def give_back(lease: Lease, reason: str) -> bool:
    """running → queued through no fault of the job's: the attempt is not used up."""
    changes = {"attempts": F("attempts") - 1}
    notes = [Note("job.released", reason, "warning")]
    return _give_back(lease, timezone.now(), changes, notes)


def beat(lease: Lease) -> bool:
    """Show that the holder lives. False: the lease is gone."""
    held = Job.objects.filter(id=lease.job_id, claim=lease.claim, status=State.RUNNING).update(
        beat=F("beat") + 1,
        lease_expires_at=timezone.now() + timedelta(seconds=settings.JOB_LEASE_S),
    )
    return bool(held)


def _give_back(
    lease: Lease, available_at: datetime, changes: dict[str, Any], notes: Sequence[Note]
) -> bool:
    """Back into the queue, unless somebody asked to cancel the job: that is then its end."""
    freed = {"lease_holder": "", "lease_expires_at": None, "available_at": available_at}
    with transaction.atomic():
        moved = _move(
            lease.job_id,
            State.RUNNING,
            State.QUEUED,
            {**changes, **freed},
            notes,
            claim=lease.claim,
            cancel_requested_at__isnull=True,
        )
        if moved:
            _close_steps(lease.job_id, State.QUEUED)
    return moved or cancel_running(lease, cancel_requested_at__isnull=False)


def _finish(
    lease: Lease,
    target: State,
    changes: dict[str, Any],
    notes: Sequence[Note],
    **expected: Any,
) -> bool:
    freed = {"lease_holder": "", "lease_expires_at": None, "finished_at": timezone.now()}
    with transaction.atomic():
        moved = _move(
            lease.job_id,
            State.RUNNING,
            target,
            {**changes, **freed},
            notes,
            claim=lease.claim,
            **expected,
        )
        if moved:
            _close_steps(lease.job_id, target)
    return moved


def _close_steps(job_id: uuid.UUID, target: State) -> None:
    """A step that was under way shares the end of its job."""
    finished_at = None if target is State.QUEUED else timezone.now()
    Step.objects.filter(job_id=job_id, status=State.RUNNING).update(
        status=target, finished_at=finished_at
    )


def _move(
    job_id: uuid.UUID,
    origin: State,
    target: State,
    changes: dict[str, Any],
    notes: Sequence[Note],
    **expected: Any,
) -> bool:
    """`expected`: what must be true of the row besides its state, the holder's claim above all."""
    if not may_move(origin, target):
        raise ValueError(f"no arrow from {origin} to {target}")
    with transaction.atomic():
        moved = Job.objects.filter(id=job_id, status=origin, **expected).update(
            status=target,
            last_seq=F("last_seq") + len(notes),
            updated_at=timezone.now(),
            **changes,
        )
        if moved:
            events.insert_numbered(job_id, notes)
        if moved and target in (State.FAILED, State.CANCELED):
            _count_finished(job_id)
        if moved and target in TERMINAL:
            outbox.record(job_id, target)
    return bool(moved)


def _count_finished(job_id: uuid.UUID) -> None:
    """The items that a job finished before it ended otherwise: they stay, of whichever attempt."""
    made = Artifact.objects.filter(job_id=job_id).values("item_index").distinct().count()
    if made:
        summary = Job.objects.values_list("summary", flat=True).get(id=job_id)
        Job.objects.filter(id=job_id).update(summary={**summary, "completed": made})


def _error(failure: Failure) -> dict[str, Any]:
    return {
        "error_code": failure.code,
        "error_message": plain.text(failure.message),
        "error_detail": plain.text(failure.detail),
    }


def _error_note(failure: Failure) -> Note:
    return Note("error", failure.message, "error", {"code": failure.code})
