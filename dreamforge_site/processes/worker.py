"""A worker process: Celery on one queue, with threads.

Threads suffice because what is heavy runs in child processes (the GPU's) or waits for the network.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import uuid
import warnings
from types import FrameType
from typing import Any

import structlog
from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning
from celery.worker import state
from django.conf import settings

from dreamforge_site import __version__, queues, tasks
from dreamforge_site.celery import app
from dreamforge_site.environment import Environment
from dreamforge_site.operations import tracing, worker_http
from dreamforge_site.supervisor import descendants
from jobs import worker as jobs_worker
from jobs.generation import engines

IO_CONCURRENCY = 4
BELL_THREADS = 2
EX_OK = 0
HARD_EXIT_STATUS = 1
RETIRED_STATUS = 75  # try again later, says sysexits.h: whoever started us starts us again
GRACE_S = 6.0
END_WITHIN_S = 9.5  # the supervisor kills after ten seconds

log = structlog.get_logger(__name__)


class QueueWorker(Worker):
    """Celery's worker, which leaves the stop signals to us."""

    def install_platform_tweaks(self, worker: Any) -> None:
        """Ours are installed before the first job is taken."""


class Ending:
    """How the process stops: in order at the first signal, at once at the second, never later than
    END_WITHIN_S after the first. Whatever way it ends, what its jobs had started ends with it."""

    def __init__(self) -> None:
        self.status = EX_OK
        self.slots: jobs_worker.WorkerProcess | None = None
        self._begun = threading.Event()
        self._slots_stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def retire(self) -> None:
        """The engine asks for a fresh process: a slot of this one is lost."""
        self.status = RETIRED_STATUS
        os.kill(os.getpid(), signal.SIGTERM)

    def finish(self) -> None:
        """Wait for the slots; then end, with or without the threads that do not."""
        self._begin()
        self._slots_stopped.wait(END_WITHIN_S)
        if self.slots is None or not self.slots.idle:
            end_now(self.status)
        descendants.kill(descendants.below(os.getpid()))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._begun.is_set():
            end_now(HARD_EXIT_STATUS)
        log.info("worker_stopping", signal=signal.Signals(number).name)
        state.should_stop = EX_OK  # type: ignore[assignment]  # the stubs know only its first value
        self._begin()

    def _begin(self) -> None:
        if not self._begun.is_set():
            self._begun.set()
            threading.Thread(target=self._stop_slots, name="stop", daemon=True).start()
            threading.Thread(target=self._end_in_time, name="end", daemon=True).start()

    def _stop_slots(self) -> None:
        if self.slots is not None:
            self.slots.stop(GRACE_S)
        self._slots_stopped.set()

    def _end_in_time(self) -> None:
        time.sleep(END_WITHIN_S)
        log.warning("worker_ends_late", after_s=END_WITHIN_S)
        end_now(self.status or HARD_EXIT_STATUS)


def end_now(status: int) -> None:
    """Threads cannot be stopped, so the process is; leases that are still held run out."""
    descendants.kill(descendants.below(os.getpid()))
    os._exit(status)


def default_concurrency(queue: str, environment: Environment) -> int:
    """A GPU does one thing at a time: as many tasks as there are devices."""
    if queue == queues.GPU:
        return len(engines.slots())
    return IO_CONCURRENCY


def devices(queue: str, concurrency: int, environment: Environment) -> list[str]:
    """What each slot works with: its GPU, or its number."""
    if queue == queues.GPU and concurrency == len(engines.slots()):
        return engines.slots()
    return [str(number) for number in range(concurrency)]


def run(queue: str, concurrency: int) -> int:
    """Work until told to stop; an absent broker is waited for. The exit status of the process."""
    tracing.start(f"worker-{queue}")
    worker_http.start_if_configured()
    # It warns root of pickled messages; ours are JSON and nothing else is accepted.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = QueueWorker(
        app=app,
        hostname=f"{queue}-{os.getpid()}-{uuid.uuid4().hex[:6]}@{socket.gethostname()}",
        queues=[queue],
        pool_cls="threads",
        concurrency=BELL_THREADS,
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    # Celery's own threads hear the bell and keep house; the slots that run jobs are the engine's.
    ending = Ending()
    slots = devices(queue, concurrency, settings.ENVIRONMENT)
    ending.slots = jobs_worker.begin(queue, slots, __version__, ending.retire)
    log.info("worker_started", queue=queue, concurrency=concurrency)
    if queue == queues.IO:
        threading.Thread(target=tasks.at_start, name="at-start", daemon=True).start()
    try:
        worker.start()
    finally:
        ending.finish()
    log.info("worker_stopped", queue=queue)
    return ending.status or int(worker.exitcode or 0)
