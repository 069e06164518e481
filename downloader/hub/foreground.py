"""Doing a job of the hub in this process, at a terminal: no worker has to run, and the job is on
record like any other. Where a worker was faster, it is followed."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone
from django.utils.module_loading import import_string

from downloader.hub.errors import HubError
from downloader.library.errors import Canceled, DownloadError
from downloader.library.watch import Control
from jobs import execution, kinds, leases, lifecycle, submission
from jobs.custody import Custody
from jobs.errors import AttemptFailed, CancelRequested
from jobs.lifecycle import Lease
from jobs.models import Job
from jobs.run import Run
from jobs.states import TERMINAL, State

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.5
BEAT_EVERY_S = 2.0
EXECUTOR = f"{__name__}.carried"

Told = Callable[[Job], None]
# Why attempts of this process failed, in the library's own words: a job keeps fewer.
_causes: dict[uuid.UUID, BaseException | None] = {}


class Failed(Exception):
    """The job failed; its row says why."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.error_message)
        self.job = job


def do(
    type_name: str, params: Mapping[str, Any], control: Control, told: Told, *, by: Any = None
) -> Job:
    """The job, succeeded. DownloadError, HubError or Failed when it did not; Canceled after a stop
    by `control`. `told` hears of it about twice a second. It is nobody's job, whoever starts it."""
    job = submission.submit(type_name, params, None, by=by)
    holder = leases.new_holder(job.queue)
    while job.status not in TERMINAL:
        lease = _lease(job, holder)
        if lease is not None:
            _attempt(lease, control, told)
        else:
            _wait(job, control)
        job.refresh_from_db()
        told(job)
    return _ended(job)


def _lease(job: Job, holder: str) -> Lease | None:
    """None while it waits for its next attempt, or is a worker's."""
    if job.status != State.QUEUED or job.available_at > timezone.now():
        return None
    return lifecycle.start(job.pk, holder)


def _wait(job: Job, control: Control) -> None:
    try:
        control.sleep(LOOK_EVERY_S)
    except Canceled:
        if not job.cancel_requested_at:
            submission.cancel(job)
        time.sleep(LOOK_EVERY_S)


def _ended(job: Job) -> Job:
    cause = _causes.pop(job.pk, None)
    if job.status == State.CANCELED:
        raise Canceled("It was stopped; what was fetched is kept.")
    if job.status == State.FAILED:
        raise cause if isinstance(cause, DownloadError | HubError) else Failed(job)
    return job


def _attempt(lease: Lease, control: Control, told: Told) -> None:
    run = execution.prepare(lease)
    if run is None:
        return
    run.kind = replace(run.kind, executor=EXECUTOR)
    with _kept(run, control, told):
        execution.execute(run)


def carried(run: Run) -> Any:
    """The kind's own executor; what made it fail is remembered."""
    try:
        return import_string(kinds.get(run.kind.name).executor)(run)
    except AttemptFailed as failed:
        _causes[run.job_id] = failed.__cause__
        raise


@contextmanager
def _kept(run: Run, control: Control, told: Told) -> Iterator[None]:
    """A thread that shows life, listens for a stop, and tells."""
    custody, over = Custody(run.lease.holder), threading.Event()
    custody.take(run)
    thread = threading.Thread(
        target=_keep, args=(custody, run, control, told, over), name="keep", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        custody.release(run)


def _keep(custody: Custody, run: Run, control: Control, told: Told, over: threading.Event) -> None:
    beaten_at = time.monotonic()
    try:
        while not over.wait(LOOK_EVERY_S):
            if control.canceled:
                run.stop_with(CancelRequested)
            if time.monotonic() - beaten_at >= BEAT_EVERY_S:
                beaten_at = time.monotonic()
                _carry_on(custody.beat, custody.watch)
            _carry_on(custody.keep_time, lambda: told(Job.objects.get(pk=run.job_id)))
    finally:
        connections.close_all()


def _carry_on(*tasks: Callable[[], None]) -> None:
    """A database that is away for a moment ends no job."""
    for task in tasks:
        try:
            task()
        except (DatabaseError, InterfaceError) as error:
            log.warning("keeping_failed", error=type(error).__name__)
