"""One attempt from claim to end: run the executor, turn however it ends into one move."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils.module_loading import import_string

from jobs import kinds, lifecycle, metrics, retries
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
RELEASED = "The worker is shutting down; the job waits for another."
TOO_LONG = Failure("timeout", "The job took longer than it may.")
# What a job's own code may raise without a word of explanation, by the code it then ends with;
# True: worth another try, for a connection that broke says nothing about the job.
FOREIGN: tuple[tuple[type[BaseException], str, bool], ...] = (
    (MemoryError, "oom", False),
    (ConnectionError, "provider_error", True),
    (OperationalError, "storage_error", True),
    (InterfaceError, "storage_error", True),
    (BaseException, "internal", False),
)


def prepare(lease: Lease, device: str = "") -> Run | None:
    """The run of a fresh claim. None: the job cannot be run at all, and has been told so."""
    job = persist(lambda: Job.objects.get(id=lease.job_id))
    try:
        kind = kinds.get(job.type)
        metrics.job_started(kind.queue, job.waited_s)
        return Run(job, kind, lease, kind.timeout_s or settings.JOB_TIMEOUT_S, device)
    except Exception as error:  # noqa: BLE001  the kind's own functions read the parameters
        failure = _of(error)
        persist(lambda: lifecycle.fail(lease, failure))
        return None


def execute(run: Run) -> str:
    """Run one attempt; the word that says how it ended (for the worker's log)."""
    with structlog.contextvars.bound_contextvars(
        request_id=run.request_id, job_id=str(run.job_id), attempt=run.attempt
    ):
        started_at = time.monotonic()
        ending = _attempt(run)
        metrics.attempt_ended(run.kind.name, ending, time.monotonic() - started_at)
        log.info("attempt_ended", ending=ending, type=run.kind.name)
    return ending


def _attempt(run: Run) -> str:
    try:
        summary = _checked(import_string(run.kind.executor)(run))
        run.close()
    except Stopped as reason:
        return _stopped(run, type(reason))
    except AttemptFailed as error:
        return _failed(run, error.failure)
    except BaseException as error:  # noqa: BLE001  the outermost border of a job's own code
        return _failed(run, _of(error))
    return _end(run, "succeeded", lambda: lifecycle.succeed(run.lease, summary))


def _checked(summary: Any) -> dict[str, Any] | None:
    if summary is None or isinstance(summary, dict):
        return summary
    raise TypeError(f"an executor returns a dict or None, not {type(summary).__name__}")


def _stopped(run: Run, reason: type[Stopped]) -> str:
    if reason is DeadlinePassed:
        return _failed(run, TOO_LONG)
    ending, move = _end_of_stopped(run.lease, reason)
    return _end(run, ending, move)


def _end_of_stopped(lease: Lease, reason: type[Stopped] | None) -> tuple[str, Callable[[], bool]]:
    moves: dict[type[Stopped] | None, tuple[str, Callable[[], bool]]] = {
        CancelRequested: ("canceled", lambda: lifecycle.cancel_running(lease)),
        Interrupted: ("released", lambda: lifecycle.give_back(lease, RELEASED)),
        DeadlinePassed: ("timeout", lambda: lifecycle.fail(lease, TOO_LONG)),
    }
    return moves.get(reason, ("lease_lost", lambda: False))


def end_in_its_stead(run: Run) -> str:
    """End the attempt of an executor that was asked to stop and does not."""
    ending, move = _end_of_stopped(run.lease, run.reason)
    return ending if move() else "lease_lost"


def _of(error: BaseException) -> Failure:
    """Whatever a job's own code raised ends this attempt only."""
    log.error("job_crashed", exc_info=error)
    code, transient = next(
        (code, transient) for kind, code, transient in FOREIGN if isinstance(error, kind)
    )
    detail = "".join(traceback.format_exception(error))[-DETAIL_LIMIT:]
    return Failure(code, f"The job's code failed: {type(error).__name__}.", transient, detail)


def _failed(run: Run, failure: Failure) -> str:
    job = persist(lambda: Job.objects.only("attempts", "max_attempts").get(id=run.job_id))
    ending, move = _consequence(run.lease, failure, job)
    return _end(run, ending, move)


def _consequence(lease: Lease, failure: Failure, job: Job) -> tuple[str, Callable[[], bool]]:
    if retries.should_retry(failure, job.attempts, job.max_attempts):
        metrics.attempt_failed(failure.code, "retried")
        delay_s = retries.delay_s(job.attempts, random.random())  # noqa: S311  spread, not secrecy
        return "retry", lambda: lifecycle.retry_later(lease, failure, delay_s)
    dead = retries.is_transient(failure)
    metrics.attempt_failed(failure.code, "dead" if dead else "failed")
    return failure.code, lambda: lifecycle.fail(lease, failure, dead=dead)


def _end(run: Run, ending: str, move: Callable[[], bool]) -> str:
    with suppress(LeaseLost):
        run.flush()
    return ending if persist(move) else "lease_lost"


def abandon(job: Job, lease: Lease) -> str:
    """The end of an attempt whose worker is gone."""
    if job.cancel_requested_at is not None:
        return "canceled" if lifecycle.cancel_running(lease) else "lease_lost"
    failure = Failure("worker_lost", "The worker that ran the job is gone.")
    ending, move = _consequence(lease, failure, job)
    return ending if move() else "lease_lost"
