"""Telling workers that a queue has work: from a background thread, with short timeouts.

The database holds the queue; a message only saves the second until a worker looks by itself. So a
dead or hung broker costs a request nothing, and a lost message costs a job a moment.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

import structlog
from celery import current_app

log = structlog.get_logger(__name__)

TASK = "jobs.ring"
RINGS_AT_ONCE = 8  # one message wakes one worker; more than a few wake nobody else
# A message costs more than storing a job: those of a burst become a few, the first is not delayed,
# and as long as requests come without a pause, little of the time goes into ringing.
REST_S = 0.05
LONGEST_REST_S = 0.5
REST_TO_WORK = 19
COMPLAIN_EVERY_S = 30.0


class Bell:
    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._complained_at = -COMPLAIN_EVERY_S
        self._pid = 0

    def ring(self, queue: str) -> None:
        with self._changed:
            self._ensure_thread()
            self._waiting[queue] += 1
            self._changed.notify()

    def _ensure_thread(self) -> None:
        """One thread a process; a fork needs its own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            threading.Thread(target=self._work, name="bell", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                waiting, self._waiting = self._waiting, Counter()
            began = time.monotonic()
            for queue, count in waiting.items():
                self._send(queue, min(count, RINGS_AT_ONCE))
            time.sleep(rest_s(time.monotonic() - began))

    def _send(self, queue: str, count: int) -> None:
        try:
            for _ in range(count):
                current_app.send_task(TASK, queue=queue, ignore_result=True, retry=False)
        except Exception as error:  # noqa: BLE001  the border of this thread: it must outlive it
            self._complain(queue, error)

    def _complain(self, queue: str, error: Exception) -> None:
        if time.monotonic() - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = time.monotonic()
            log.warning("broker_unreachable", queue=queue, error=type(error).__name__)


def rest_s(worked_s: float) -> float:
    """How long to be silent after ringing took so long."""
    return min(max(REST_S, REST_TO_WORK * worked_s), LONGEST_REST_S)


_bell = Bell()
ring = _bell.ring
