"""Running failed jobs again, and the list of those that used up their attempts.

A letter is taken off that list by one caller only, however many press at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from jobs import auditing, kinds, submission
from jobs.errors import InvalidState, JobError
from jobs.models import Job
from registry.auditing import changes


class Settled(InvalidState):
    """Somebody else dealt with the letter meanwhile."""


@dataclass
class Outcome:
    """What became of several dead letters."""

    requeued: list[tuple[Job, Job]] = field(default_factory=list)  # the old job, the new one
    refused: list[tuple[Job, JobError]] = field(default_factory=list)


def is_open(job: Job) -> bool:
    return job.dead_at is not None and job.dead_resolved_at is None


def may_run_again(job: Job, user: Any) -> bool:
    """Whether `again` would not be refused to them; running a job again is starting it."""
    kind = kinds.table().get(job.type)
    return kind is not None and submission.may_start(kind, user)


def again(
    job: Job, edits: Mapping[str, Any] | None = None, *, by: Any = None, checked: bool = True
) -> Job:
    """A new job of the same owner, with the old one's parameters but for `edits`. NotAllowed where
    `by` may not start one; not `checked`: the name is for the log alone, as a command's is."""
    if by is not None and checked:
        submission.check_permission(kinds.get(job.type), by)
    params = {**job.params, **(edits or {})}
    before = auditing.standing(job)
    with transaction.atomic():
        if is_open(job) and not submission.resolve_dead(job.pk):
            raise Settled("This dead letter was requeued or discarded meanwhile.")
        new = submission.requeue(job, params=params)
        changed = changes(job.params, new.params)
        auditing.settled(job, f"requeued as {new.pk}", before, by, changed)
    return new


def discard(job: Job, *, by: Any = None) -> None:
    """Give the job up: it stays in the history and leaves the list."""
    before = auditing.standing(job)
    with transaction.atomic():
        if not submission.resolve_dead(job.pk):
            raise Settled("The job is not on the list of dead letters.")
        auditing.settled(job, "discarded", before, by)


def requeue(
    letters: Iterable[Job],
    edits: Mapping[str, Any] | None = None,
    *,
    by: Any = None,
    checked: bool = True,
) -> Outcome:
    """Each letter that is still open. One that cannot run stays on the list and holds up no other;
    one that somebody else dealt with meanwhile is passed over."""
    outcome = Outcome()
    for job in letters:
        try:
            outcome.requeued.append((job, again(job, edits, by=by, checked=checked)))
        except Settled:
            continue
        except JobError as error:
            outcome.refused.append((job, error))
    return outcome
