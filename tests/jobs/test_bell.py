"""Ringing costs the caller nothing, whatever the broker does."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from celery import current_app

from jobs import kinds
from jobs.bell import LONGEST_REST_S, REST_S, RINGS_AT_ONCE, Bell, rest_s
from tests.jobs.service import wait_until

pytestmark = pytest.mark.pure


class Broker:
    """Stands where Celery sends: counts, and does what it is told to."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.error: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def send(self, _task: str, *, queue: str, **_options: Any) -> None:
        if queue in kinds.QUEUES:
            return  # the bell of the process, which another test has rung
        self.open.wait()
        self.sent.append(queue)
        if self.error:
            raise self.error


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(current_app, "send_task", broker.send)
    return broker


def test_a_ring_reaches_its_queue(broker: Broker) -> None:
    bell = Bell()
    bell.ring("quiet")
    bell.ring("loud")
    wait_until(lambda: len(broker.sent) == 2, "two messages")
    assert sorted(broker.sent) == ["loud", "quiet"]


def test_the_caller_does_not_wait_for_a_hung_broker(broker: Broker) -> None:
    broker.open.clear()
    bell = Bell()
    for _ in range(10_000):
        bell.ring("loud")
    assert broker.sent == []
    broker.open.set()
    wait_until(lambda: bool(broker.sent), "a message")


def test_rings_that_pile_up_become_a_few(broker: Broker) -> None:
    broker.open.clear()
    bell = Bell()
    for _ in range(10_000):
        bell.ring("many")
    bell.ring("last")
    broker.open.set()
    wait_until(lambda: "last" in broker.sent, "the last message")
    assert broker.sent.count("many") <= 2 * RINGS_AT_ONCE


@pytest.mark.parametrize("error", [OSError("refused"), ValueError("nobody thought of this")])
def test_the_bell_outlives_whatever_the_broker_raises(broker: Broker, error: Exception) -> None:
    """Under a name of its own: the bell of a test before may still be ringing."""
    bell = Bell()
    broker.error = error
    bell.ring("stubborn")
    wait_until(lambda: broker.sent.count("stubborn") == 1, "the failed message")
    broker.error = None
    bell.ring("stubborn")
    wait_until(lambda: broker.sent.count("stubborn") == 2, "the next message")


@pytest.mark.parametrize(
    ("worked_s", "rest"), [(0.0, REST_S), (0.001, REST_S), (0.01, 0.19), (2.0, LONGEST_REST_S)]
)
def test_ringing_takes_a_twentieth_of_the_time_at_most(worked_s: float, rest: float) -> None:
    assert rest_s(worked_s) == pytest.approx(rest)
