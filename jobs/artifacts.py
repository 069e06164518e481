"""What a job has made. A row is written by the holder of the job's lease, in one transaction with
the event that tells of it; a later attempt at the same item replaces it.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from jobs import events, leftovers
from jobs.events import Note
from jobs.lifecycle import Lease
from jobs.models import Artifact


@dataclass(frozen=True)
class Drawn:
    """A stored file and what is known about it."""

    s3_key: str
    format: str
    content_type: str
    width: int
    height: int
    seed: int
    sha256: str
    size_bytes: int
    pixels_sha256: str = ""  # of the decoded picture: what stays when its metadata is taken away
    has_thumbnail: bool = False  # its small picture is stored too


def record(lease: Lease, step_id: uuid.UUID, item_index: int, drawn: Drawn) -> bool:
    """Make `drawn` the one artifact of this item. False, and nothing written: the lease is gone."""
    payload = {"key": drawn.s3_key, "sha256": drawn.sha256, "size_bytes": drawn.size_bytes}
    note = Note("artifact.written", "", "info", payload, step_id, item_index)
    with transaction.atomic():
        held = events.append_as_holder(lease.job_id, lease.claim, [note])
        if held:
            _replace(lease.job_id, step_id, item_index, drawn)
    return held


def _replace(job_id: uuid.UUID, step_id: uuid.UUID, item_index: int, drawn: Drawn) -> None:
    """The job's row is locked by the event: nobody else writes about this item."""
    place: dict[str, Any] = {"job_id": job_id, "step_id": step_id, "item_index": item_index}
    before = Artifact.objects.filter(**place).only("s3_key", "has_thumbnail").first()
    now, _ = Artifact.objects.update_or_create(**place, defaults=asdict(drawn))
    leftovers.keep(now.stored_keys)
    if before is not None and before.s3_key != now.s3_key:
        leftovers.forget(before.stored_keys)


def finished_items(step_id: uuid.UUID) -> set[int]:
    """The items that have their artifact: a later attempt goes on after them."""
    return set(Artifact.objects.filter(step_id=step_id).values_list("item_index", flat=True))
