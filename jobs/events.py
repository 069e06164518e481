"""A job's history: numbered 1, 2, 3… under the job's row lock, so nothing is lost or doubled.

A global sequence would not do: rows commit out of the order of their ids, and a reader that asks
for "greater than the last" loses what commits late.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs import bounds, plain
from jobs.models import Event, Job
from jobs.states import State


@dataclass(frozen=True)
class Note:
    """An event before it has its number."""

    code: str
    message: str = ""
    level: str = "info"
    payload: dict[str, Any] = field(default_factory=dict)
    step_id: uuid.UUID | None = None
    item_index: int | None = None


def append_as_holder(job_id: uuid.UUID, claim: int, notes: Sequence[Note], **changes: Any) -> bool:
    """Add to a running job's history; False, and nothing written, when the lease is gone."""
    with transaction.atomic():
        running = Job.objects.filter(id=job_id, claim=claim, status=State.RUNNING)
        held = running.update(
            last_seq=F("last_seq") + len(notes), updated_at=timezone.now(), **changes
        )
        if held:
            insert_numbered(job_id, notes)
    return bool(held)


def append(job_id: uuid.UUID, notes: Sequence[Note]) -> bool:
    """Add to a job's history from outside its lease: an operator's or the sweep's word."""
    with transaction.atomic():
        found = Job.objects.filter(id=job_id).update(
            last_seq=F("last_seq") + len(notes), updated_at=timezone.now()
        )
        if found:
            insert_numbered(job_id, notes)
    return bool(found)


def insert_numbered(job_id: uuid.UUID, notes: Sequence[Note]) -> None:
    """Insert `notes` as the last of the job's events. The caller has just raised `last_seq` by
    their number in this transaction, and so holds the row's lock."""
    if not notes:
        return
    last = Job.objects.filter(id=job_id).values_list("last_seq", flat=True).get()
    first = last - len(notes) + 1
    now = timezone.now()
    Event.objects.bulk_create(
        Event(
            job_id=job_id,
            seq=first + offset,
            ts=now,
            level=note.level,
            code=note.code,
            message=bounds.message(plain.text(note.message)),
            payload=bounds.payload(plain.data(note.payload)),
            step_id=note.step_id,
            item_index=note.item_index,
        )
        for offset, note in enumerate(notes)
    )
