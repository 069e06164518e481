"""A worker process: slots that run jobs, beats for what runs, and the sweep for what was lost.

Each slot is a thread that takes jobs until none waits, then sleeps until it is woken or a second
and a half has passed. Celery's message only wakes: a broker that is down or loses messages costs
a job a moment.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import F
from django.utils import timezone

from jobs import claims, execution, kinds, leases, lifecycle
from jobs.errors import CancelRequested, Interrupted, LeaseLost
from jobs.lifecycle import Lease
from jobs.models import Job, Worker
from jobs.run import Run
from jobs.states import State

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.5
WATCH_EVERY_S = 1.0
BEAT_EVERY_S = 4.0
SWEEP_EVERY_S = 2.0


class Bells:
    """Wakes every sleeping slot; a ring that comes while a slot looks is not missed."""

    def __init__(self) -> None:
        self._rung = 0
        self._changed = threading.Condition()

    @property
    def rung(self) -> int:
        with self._changed:
            return self._rung

    def ring(self) -> None:
        with self._changed:
            self._rung += 1
            self._changed.notify_all()

    def wait(self, heard: int, timeout_s: float) -> None:
        """Until the bell has rung more often than `heard` times, or the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung > heard, timeout_s)


class WorkerProcess:
    def __init__(self, queue: str, devices: list[str], version: str = "") -> None:
        self.queue = queue
        self.holder = leases.new_holder(queue)
        self.version = version
        self.stopping = threading.Event()
        self._devices = devices
        self._bells = Bells()
        self._runs: dict[uuid.UUID, Run] = {}
        self._lock = threading.Lock()
        self._watch = leases.Watch()

    def start(self) -> None:
        for device in self._devices:
            self._thread(f"slot-{device}", self._slot, device)
        for every_s, task in (
            (WATCH_EVERY_S, self.watch_runs),
            (BEAT_EVERY_S, self.beat),
            (SWEEP_EVERY_S, self.sweep),
        ):
            self._thread(task.__name__, self._repeat, every_s, task)

    def wake(self) -> None:
        self._bells.ring()

    def stop(self, grace_s: float) -> None:
        """Take nothing new, let what runs finish for `grace_s`, then give it back."""
        self.stopping.set()
        give_up_at = time.monotonic() + grace_s
        self._bells.ring()
        while self._running() and time.monotonic() < give_up_at:
            time.sleep(0.05)
        for run in self._running():
            run.stop_with(Interrupted)

    @property
    def idle(self) -> bool:
        return not self._running()

    def _slot(self, device: str) -> None:
        while not self.stopping.is_set():
            heard = self._bells.rung
            with self._database_may_be_away("look"):
                self._drain(device)
            self._bells.wait(heard, LOOK_EVERY_S)

    def _drain(self, device: str) -> None:
        types = kinds.names_for(self.queue)
        while not self.stopping.is_set():
            lease = claims.next_lease(self.queue, self.holder, types)
            if lease is None:
                return
            self._run(lease, device)

    def _run(self, lease: Lease, device: str) -> None:
        run = execution.prepare(lease, device)
        with self._lock:
            self._runs[lease.job_id] = run
        try:
            execution.execute(run, run.kind)
        finally:
            with self._lock:
                self._runs.pop(lease.job_id, None)

    def watch_runs(self) -> None:
        """Tell runs whose job was canceled, and whose lease is gone."""
        runs = {run.lease.job_id: run for run in self._running()}
        if not runs:
            return
        facts = Job.objects.filter(id__in=runs).values_list(
            "id", "claim", "status", "cancel_requested_at"
        )
        found = {job_id: facts for job_id, *facts in facts}
        for job_id, run in runs.items():
            claim, status, canceled_at = found.get(job_id, (None, None, None))
            if claim != run.lease.claim or status != State.RUNNING:
                run.stop_with(LeaseLost)
            elif canceled_at is not None:
                run.stop_with(CancelRequested)

    def beat(self) -> None:
        for run in self._running():
            if not lifecycle.beat(run.lease):
                run.stop_with(LeaseLost)
        facts = {
            "queue": self.queue,
            "slots": len(self._devices),
            "devices": self._devices,
            "version": self.version,
            "stopping": self.stopping.is_set(),
            "seen_at": timezone.now(),
        }
        Worker.objects.update_or_create(
            id=self.holder,
            defaults={**facts, "beat": F("beat") + 1},
            create_defaults=facts,
        )

    def sweep(self) -> None:
        for job_id, ending in leases.sweep(self._watch).items():
            log.warning("lost_job_swept", job_id=job_id, ending=ending)

    def _running(self) -> list[Run]:
        with self._lock:
            return list(self._runs.values())

    def _repeat(self, every_s: float, task: Callable[[], None]) -> None:
        while not self.stopping.is_set() or self._running():
            with self._database_may_be_away(task.__name__):
                task()
            time.sleep(every_s)

    @contextmanager
    def _database_may_be_away(self, task: str) -> Iterator[None]:
        """These threads outlive a restart of the database: what failed is done again next time."""
        try:
            yield
        except (DatabaseError, InterfaceError) as error:
            log.warning("database_away", task=task, error=type(error).__name__)
            connection.close()
        finally:
            close_old_connections()

    def _thread(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=target, args=arguments, name=name, daemon=True).start()


_of_this_process: WorkerProcess | None = None


def begin(queue: str, devices: list[str], version: str = "") -> WorkerProcess:
    """Make this process a worker; Celery's messages wake it from now on."""
    global _of_this_process  # noqa: PLW0603  a process is one worker, as it is one process
    _of_this_process = WorkerProcess(queue, devices, version)
    _of_this_process.start()
    return _of_this_process


def wake_this_process() -> None:
    if _of_this_process is not None:
        _of_this_process.wake()
