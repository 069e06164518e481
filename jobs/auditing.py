"""What the admin's log says of a job that somebody settled."""

from __future__ import annotations

from typing import Any

from jobs.models import Job
from jobs.states import LIVE
from registry import auditing


def settled(job: Job, done: str, before: str, by: Any, changed: str = "") -> None:
    """`before` is its `standing` when somebody set about it; `changed`: what else is other now."""
    if getattr(by, "pk", None) is None:
        return  # nobody will be told, so nothing is looked up
    fields = ("type", "status", "cancel_requested_at", "dead_at", "dead_resolved_at")
    now = standing(Job.objects.only(*fields).get(pk=job.pk))
    auditing.note(job, by, auditing.sentence(done, auditing.moved(before, now), changed))


def standing(job: Job) -> str:
    """Its state, and what an operator can still settle about it."""
    if job.status in LIVE and job.cancel_requested_at is not None:
        return f"{job.status}, to be canceled"
    if job.dead_at is None:
        return job.status
    return "dead letter" if job.dead_resolved_at is None else "settled dead letter"
