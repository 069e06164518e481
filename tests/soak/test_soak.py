"""Chance breaks things for a while; then everything must have ended as INV says.

`make soak` runs it for minutes (DREAMFORGE_TEST_SOAK_S), the suite for some seconds. A run prints
its seed; DREAMFORGE_TEST_SOAK_SEED repeats the same dice.
"""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from collections.abc import Callable

import pytest

from jobs import submission
from jobs.errors import InvalidState
from jobs.models import Job
from jobs.states import TERMINAL, State
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.jobs import invariants
from tests.jobs.service import Service, kill, make_due, pause, resume, submit, wait_until

SOAK_S = float(os.environ.get("DREAMFORGE_TEST_SOAK_S", "8"))
SEED = int(os.environ.get("DREAMFORGE_TEST_SOAK_SEED", "0")) or random.randrange(1, 1_000_000)
WORKERS = 2
ALL_OVER_WITHIN_TRIES = 12

pytestmark = [pytest.mark.live, pytest.mark.timeout(SOAK_S + 900)]

# Faults of the first attempt only: each of these jobs has to succeed in the end.
FAULTS = ("", "", "", "storage", "connection", "nonsense", "kill", "exit")


class Soak:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.dice = random.Random(SEED)
        self.accepted: list[uuid.UUID] = []
        self.canceled: set[uuid.UUID] = set()
        self.paused: list[Supervised] = []
        self.workers: list[Supervised] = []

    def turn(self) -> None:
        actions: tuple[tuple[int, Callable[[], None]], ...] = (
            (6, self.submit),
            (2, self.cancel),
            (1, self.kill),
            (1, self.term),
            (1, self.pause),
            (2, self.resume),
        )
        weights, choices = zip(*actions, strict=True)
        self.dice.choices(choices, weights)[0]()
        self.refill()
        make_due()

    def submit(self) -> None:
        for _ in range(self.dice.randint(1, 5)):
            job_id = submit(
                items=self.dice.randint(1, 10),
                item_ms=self.dice.choice((0, 20, 100)),
                fault=self.dice.choice(FAULTS),
                until_attempt=1,
                draws=True,
                priority=self.dice.randint(-2, 2),
            )
            self.accepted.append(job_id)

    def cancel(self) -> None:
        if self.accepted:
            job = Job.objects.get(id=self.dice.choice(self.accepted))
            try:
                submission.cancel(job)
            except InvalidState:
                return
            self.canceled.add(job.id)

    def kill(self) -> None:
        kill(self.any_worker())

    def term(self) -> None:
        self.any_worker().signal(signal.SIGTERM)

    def pause(self) -> None:
        if len(self.paused) < WORKERS - 1:
            self.paused.append(self.any_worker())
            pause(self.paused[-1])

    def resume(self) -> None:
        if self.paused:
            resume(self.paused.pop())

    def any_worker(self) -> Supervised:
        return self.dice.choice([worker for worker in self.workers if worker not in self.paused])

    def refill(self) -> None:
        self.paused = [worker for worker in self.paused if worker.process.poll() is None]
        self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        while len(self.workers) - len(self.paused) < WORKERS:
            self.workers.append(self.service.worker())

    def calm_down(self) -> None:
        while self.paused:
            self.resume()
        for _ in range(ALL_OVER_WITHIN_TRIES):
            try:
                wait_until(self.is_over, "the end of the jobs", self.service.log)
            except AssertionError:
                continue
            return
        raise AssertionError(f"seed {SEED}: {self.service.log()}")

    def is_over(self) -> bool:
        self.refill()
        make_due()
        return not Job.objects.exclude(status__in=TERMINAL).exists()


def test_whatever_dies_every_job_ends_once(service: Service) -> None:
    print(f"seed {SEED}")  # noqa: T201  shown with a failure, to repeat it
    soak = Soak(service)
    soak.refill()
    until = time.monotonic() + SOAK_S
    while time.monotonic() < until:
        soak.turn()
        time.sleep(0.1)
    soak.calm_down()
    invariants.check(soak.accepted)
    ended = Job.objects.exclude(id__in=soak.canceled).exclude(status=State.SUCCEEDED)
    innocent = ended.exclude(error_code="worker_lost", attempts=3)
    assert not innocent.exists(), f"seed {SEED}: {list(innocent.values())}"
