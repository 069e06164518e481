"""One attempt from claim to end: run the executor, turn however it ends into one move."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from contextlib import suppress

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from jobs import kinds, lifecycle, retries
from jobs.errors import (
    AttemptFailed,
    CancelRequested,
    DeadlinePassed,
    Failure,
    Interrupted,
    LeaseLost,
    Stopped,
)
from jobs.lifecycle import Lease
from jobs.models import Job
from jobs.patience import persist
from jobs.run import Run

log = structlog.get_logger(__name__)

DETAIL_LIMIT = 20_000


def prepare(lease: Lease, device: str = "") -> Run:
    job = persist(lambda: Job.objects.get(id=lease.job_id))
    kind = kinds.get(job.type)
    return Run(job, kind, lease, kind.timeout_s or settings.JOB_TIMEOUT_S, device)


def execute(run: Run, kind: kinds.Kind) -> str:
    """Run one attempt; the word that says how it ended (for the worker's log)."""
    with structlog.contextvars.bound_contextvars(
        request_id=run.request_id, job_id=str(run.job_id), attempt=run.attempt
    ):
        ending = _attempt(run, kind)
        log.info("attempt_ended", ending=ending, type=kind.name)
    return ending


def _attempt(run: Run, kind: kinds.Kind) -> str:
    try:
        summary = import_string(kind.executor)(run)
        run.check()
        run.flush()
    except Stopped as reason:
        return _stopped(run, reason)
    except AttemptFailed as error:
        return _failed(run, error.failure)
    except Exception as error:  # noqa: BLE001  the outermost border of a job's own code
        return _crashed(run, error)
    return _end(run, "succeeded", lambda: lifecycle.succeed(run.lease, summary))


def _stopped(run: Run, reason: Stopped) -> str:
    match reason:
        case CancelRequested():
            return _end(run, "canceled", lambda: lifecycle.cancel_running(run.lease))
        case Interrupted():
            why = "The worker is shutting down; the job waits for another."
            return _end(run, "released", lambda: lifecycle.give_back(run.lease, why))
        case DeadlinePassed():
            return _failed(run, Failure("timeout", "The job took longer than it may."))
        case _:
            return "lease_lost"


def _crashed(run: Run, error: Exception) -> str:
    """Whatever a job's own code raised ends this attempt only."""
    log.error("job_crashed", exc_info=error)
    detail = "".join(traceback.format_exception(error))[-DETAIL_LIMIT:]
    message = f"The job's code failed: {type(error).__name__}."
    return _failed(run, Failure("internal", message, detail=detail))


def _failed(run: Run, failure: Failure) -> str:
    job = persist(lambda: Job.objects.only("attempts", "max_attempts").get(id=run.job_id))
    ending, move = _consequence(run.lease, failure, job)
    return _end(run, ending, move)


def _consequence(lease: Lease, failure: Failure, job: Job) -> tuple[str, Callable[[], bool]]:
    if retries.should_retry(failure, job.attempts, job.max_attempts):
        delay_s = retries.delay_s(job.attempts, random.random())  # noqa: S311  spread, not secrecy
        return "retry", lambda: lifecycle.retry_later(lease, failure, delay_s)
    dead = retries.is_transient(failure)
    return failure.code, lambda: lifecycle.fail(lease, failure, dead=dead)


def _end(run: Run, ending: str, move: Callable[[], bool]) -> str:
    with suppress(LeaseLost):
        run.flush()
    return ending if persist(move) else "lease_lost"


def abandon(job: Job, lease: Lease) -> str:
    """The end of an attempt whose worker is gone."""
    if job.cancel_requested_at is not None:
        lifecycle.cancel_running(lease)
        return "canceled"
    failure = Failure("worker_lost", "The worker that ran the job is gone.")
    ending, move = _consequence(lease, failure, job)
    return ending if move() else "lease_lost"
