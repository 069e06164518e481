"""Creating, canceling and requeueing jobs: what every door (API, admin, command) calls."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.module_loading import import_string

from jobs import auditing, bell, kinds, lifecycle, room, rows
from jobs.errors import InvalidParams, InvalidState, NotAllowed
from jobs.kinds import Kind
from jobs.models import Event, Job, Step
from jobs.states import TERMINAL, State
from jobs.webhooks import outbox
from jobs.webhooks.hooks import Hook

PRIORITY_RANGE = (-100, 100)


@dataclass(frozen=True)
class Draft:
    """A job that was checked and is not stored yet, with the rows that belong to it."""

    job: Job
    rows: Sequence[Model]


def submit(
    type_name: str,
    params: Mapping[str, Any],
    owner: AbstractBaseUser | None,
    *,
    priority: int = 0,
    requeued_from: Job | None = None,
    webhook: Hook | None = None,
    along: Callable[[Job], Sequence[Model]] = lambda _job: (),
    by: Any = None,
) -> Job:
    """Check, store and announce a job. It is safe once this returns and the transaction commits.
    `along` gives rows to be stored with it in the same round trip. `by`: who starts it, where that
    is not its owner."""
    drafted = draft(
        type_name, params, owner, priority=priority, requeued_from=requeued_from, webhook=webhook
    )
    job = drafted.job
    told_by = kinds.get(type_name).auditor if requeued_from is None else ""
    with transaction.atomic() if told_by else nullcontext():
        store([Draft(job, [*drafted.rows, *along(job)])])
        if told_by:
            import_string(told_by)(job, by or owner)
    return job


def draft(
    type_name: str,
    params: Mapping[str, Any],
    owner: AbstractBaseUser | None,
    *,
    priority: int = 0,
    requeued_from: Job | None = None,
    webhook: Hook | None = None,
) -> Draft:
    """Check a job and take its place in the queue. Nothing is stored."""
    kind = kinds.get(type_name)
    check_permission(kind, owner)
    _check_priority(priority, owner)
    job = _made(kind, kinds.parse(kind, params), owner, priority, requeued_from)
    if owner is not None:
        room.take(owner.pk)
    hooked = [outbox.attach(job, webhook)] if webhook is not None else []
    return Draft(job, [*_steps(job, kind), _first_event(job), *hooked])


def store(drafts: Sequence[Draft], *, prepared: bool = False) -> None:
    """Store and announce jobs, all or none."""
    rows.insert([row for draft in drafts for row in (draft.job, *draft.rows)], prepared=prepared)
    for draft in drafts:
        transaction.on_commit(partial(bell.ring, draft.job.queue))


def cancel(job: Job, *, by: Any = None) -> None:
    """queued → canceled at once; running: its worker is asked to stop; ended: InvalidState."""
    before = auditing.standing(job)
    with transaction.atomic():
        _cancel(job)
        auditing.settled(job, "canceled", before, by)


def _cancel(job: Job) -> None:
    if lifecycle.cancel_queued(job.id) or lifecycle.request_cancel(job.id):
        return
    status = Job.objects.values_list("status", flat=True).get(id=job.id)
    if status in TERMINAL:
        raise InvalidState(f"The job is {status}; only a queued or running job can be canceled.")
    # Running with a cancel already asked for, or requeued between the two tries.
    if status == State.QUEUED:
        _cancel(job)


def requeue(
    job: Job, owner: AbstractBaseUser | None = None, params: Mapping[str, Any] | None = None
) -> Job:
    """A new job with the same (or edited) parameters; the old one keeps its history."""
    if job.status not in (State.FAILED, State.CANCELED):
        raise InvalidState(f"The job is {job.status}; only a failed or canceled one is requeued.")
    with transaction.atomic():
        again = submit(
            job.type,
            job.params if params is None else params,
            owner or job.owner,
            priority=job.priority,
            requeued_from=job,
            webhook=outbox.hook_of(job.id),
        )
        resolve_dead(job.id)
    return again


def resolve_dead(job_id: uuid.UUID) -> bool:
    """Take a job off the dead-letter list: it was requeued, or an operator gave it up."""
    unresolved = Job.objects.dead().filter(id=job_id)
    return bool(unresolved.update(dead_resolved_at=timezone.now()))


def _made(
    kind: Kind,
    params: dict[str, Any],
    owner: AbstractBaseUser | None,
    priority: int,
    requeued_from: Job | None,
) -> Job:
    return Job(
        type=kind.name,
        queue=kind.queue,
        owner_id=owner.pk if owner else None,
        share=str(owner.pk) if owner else "",
        params=params,
        priority=priority,
        model_id=kind.model_id(params),
        max_attempts=kind.max_attempts or settings.JOB_MAX_ATTEMPTS,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
        requeued_from=requeued_from,
        summary={"count": kind.item_count(params), "completed": 0},
        last_seq=1,
    )


def _steps(job: Job, kind: Kind) -> list[Step]:
    return [Step(job_id=job.id, name=name, position=at) for at, name in enumerate(kind.steps)]


def _first_event(job: Job) -> Event:
    payload = {"queue": job.queue}
    return Event(
        job_id=job.id, seq=1, code="job.queued", message="The job is queued.", payload=payload
    )


def check_permission(kind: Kind, owner: AbstractBaseUser | None) -> None:
    """NotAllowed when this user may not start jobs of the type."""
    if owner is None:
        return  # the service itself: a schedule or a command of the operator
    if kind.staff_only and not getattr(owner, "is_staff", False):
        raise NotAllowed(f"Jobs of type {kind.name!r} are for staff.")
    if kind.permission and not owner.has_perm(kind.permission):  # type: ignore[attr-defined]
        raise NotAllowed(f"Jobs of type {kind.name!r} need the permission {kind.permission}.")


def may_start(kind: Kind, user: Any) -> bool:
    try:
        check_permission(kind, user)
    except NotAllowed:
        return False
    return True


def _check_priority(priority: int, owner: AbstractBaseUser | None) -> None:
    low, high = PRIORITY_RANGE
    if not low <= priority <= high:
        raise InvalidParams({"priority": [f"Takes a number from {low} to {high}."]})
    if priority > 0 and owner is not None and not getattr(owner, "is_staff", False):
        raise InvalidParams({"priority": ["Only staff may go before others; takes 0 or less."]})
