"""One caller cannot fill the queue for all, and asking whether there is room costs next to nothing.

Counting thousands of waiting jobs at every POST cost more than storing one. So a count buys a
process an allowance for a moment: a part of the room that was left, after which it counts again.
Close to the limit every request counts. Several processes may pass the limit by what they were
allowed within that moment, never by more.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from django.conf import settings

from jobs.errors import QueueFull
from jobs.models import Job
from jobs.states import State

RETRY_AFTER_S = 30
GOOD_FOR_S = 1.0
PART = 8  # of the room left: so many processes together cannot pass the limit
REMEMBERED = 10_000


@dataclass
class _Allowance:
    left: int
    until: float


_allowances: dict[uuid.UUID, _Allowance] = {}


def take(owner_id: uuid.UUID) -> None:
    """Take one of this owner's places in the queue; QueueFull when there is none."""
    limit = settings.JOB_MAX_QUEUED_PER_USER
    if not limit:
        return
    allowance = _allowances.get(owner_id)
    if allowance is None or allowance.left <= 0 or time.monotonic() >= allowance.until:
        allowance = _counted(owner_id, limit)
    allowance.left -= 1


def _counted(owner_id: uuid.UUID, limit: int) -> _Allowance:
    mine = Job.objects.filter(owner_id=owner_id, status=State.QUEUED).order_by()
    room = limit - mine[:limit].count()
    if room <= 0:
        raise QueueFull(
            f"You have {limit} jobs waiting; wait for some to finish or cancel them.",
            RETRY_AFTER_S,
        )
    if len(_allowances) >= REMEMBERED:
        _allowances.clear()
    allowance = _Allowance(max(1, room // PART), time.monotonic() + GOOD_FOR_S)
    _allowances[owner_id] = allowance
    return allowance


def forget() -> None:
    """Count afresh from now on."""
    _allowances.clear()
