"""The admin's log of what people changed in this room, whichever door they came by."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model

from jobs.models import Job
from jobs.states import State

WORKING = frozenset({State.QUEUED, State.RUNNING})


def note(thing: Model, by: Any, message: str, flag: int = CHANGE) -> None:
    """Who did what; nothing for the service's own doing."""
    if getattr(by, "pk", None) is None:
        return
    LogEntry.objects.log_actions(
        user_id=by.pk,
        queryset=[thing],
        action_flag=flag,
        change_message=message,
        single_object=True,
    )


def standing(job: Job) -> str:
    """Its state, and what an operator can still settle about it."""
    if job.status in WORKING and job.cancel_requested_at is not None:
        return f"{job.status}, to be canceled"
    if job.dead_at is None:
        return job.status
    return "dead letter" if job.dead_resolved_at is None else "settled dead letter"


def told(done: str, before: str, after: str) -> str:
    """A line of the admin's log."""
    return f"{done}: {before} → {after}." if before != after else f"{done}: {after} as before."
