"""A worker process: Celery on one queue, with threads.

Threads suffice because what is heavy runs in child processes (the GPU's) or waits for the network.
"""

from __future__ import annotations

import os
import signal
import socket
import uuid
import warnings
from types import FrameType
from typing import Any

import structlog
from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning
from celery.worker import state
from django.conf import settings

from dreamforge_site import __version__, queues
from dreamforge_site.celery import app
from dreamforge_site.environment import Environment
from dreamforge_site.operations import tracing, worker_http
from jobs import worker as jobs_worker

IO_CONCURRENCY = 4
BELL_THREADS = 2
EX_OK = 0
HARD_EXIT_STATUS = 1
GRACE_S = 8.0  # less than the supervisor waits before it kills

log = structlog.get_logger(__name__)


class QueueWorker(Worker):
    """Celery's worker with our stop signals: the first lets tasks finish, the second does not."""

    def install_platform_tweaks(self, worker: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _finish)


def default_concurrency(queue: str, environment: Environment) -> int:
    """A GPU does one thing at a time: as many tasks as devices are named."""
    if queue == queues.GPU:
        return len(environment.gpu_devices) or 1
    return IO_CONCURRENCY


def devices(queue: str, concurrency: int, environment: Environment) -> list[str]:
    """What each slot works with: its GPU, or its number."""
    if queue == queues.GPU and environment.gpu_devices:
        return list(environment.gpu_devices)
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
    slots = jobs_worker.begin(queue, devices(queue, concurrency, settings.ENVIRONMENT), __version__)
    log.info("worker_started", queue=queue, concurrency=concurrency)
    worker.start()
    slots.stop(GRACE_S)
    log.info("worker_stopped", queue=queue)
    return int(worker.exitcode or 0)


def _finish(number: int, frame: FrameType | None) -> None:
    """Take no more tasks, finish the running ones; a second signal ends the process at once."""
    for again in (signal.SIGTERM, signal.SIGINT):
        signal.signal(again, _end_now)
    log.info("worker_stopping", signal=signal.Signals(number).name)
    log.info("worker_stopping", signal=signal.Signals(number).name)
    state.should_stop = EX_OK  # type: ignore[assignment]  # the stubs know only its first value


def _end_now(number: int, frame: FrameType | None) -> None:
    # Threads cannot be stopped; their children die with this process and leases run out.
    os._exit(HARD_EXIT_STATUS)
