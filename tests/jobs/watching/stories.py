"""Jobs with a history, told through the engine as a worker would."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from django.db import connections

from jobs import events, lifecycle
from jobs.events import Note
from jobs.lifecycle import Lease
from jobs.models import Job


def running() -> Lease:
    """A job that runs: its history is 1 `job.queued` and 2 `job.start`."""
    job = Job.objects.create(type="selftest", queue="io")
    events.append(job.id, [Note("job.queued")])
    lease = lifecycle.start(job.id, "a worker")
    assert lease is not None
    return lease


async def apart(work: Callable[..., object], *arguments: object, **options: object) -> None:
    """In a thread, as a worker's, that leaves no connection behind."""

    def whole() -> None:
        try:
            work(*arguments, **options)
        finally:
            connections.close_all()

    await asyncio.to_thread(whole)


def tell(lease: Lease, count: int, *, code: str = "tick", text: str = "") -> None:
    notes = [Note(code, text, payload={"turn": turn}) for turn in range(count)]
    assert events.append_as_holder(lease.job_id, lease.claim, notes)


def finished(count: int) -> uuid.UUID:
    """A job that succeeded, with `count` events in its history."""
    lease = running()
    tell(lease, count - 3)
    assert lifecycle.succeed(lease)
    return lease.job_id
