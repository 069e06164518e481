"""How long a run that does not listen may go on, and what is killed with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from jobs import custody, families, worker
from tests.jobs.service import wait_until

pytestmark = pytest.mark.pure

WITHIN_S = 5.0  # of its time limit
IGNORES_TERM = "trap '' TERM; (trap '' TERM; sleep 3600) & echo started; wait"


class Parent:
    """A thread with a child and a grandchild, that goes on until it is told to end."""

    def __init__(self) -> None:
        self._end = threading.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait()

    def _run(self) -> None:
        self.id = threading.get_native_id()
        command = ["bash", "-c", IGNORES_TERM]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert self.child.stdout is not None
        self.child.stdout.readline()
        self._started.set()
        self._end.wait()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        assert self.child.stdout is not None
        self.child.stdout.close()
        self._end.set()
        self._thread.join()


@pytest.fixture
def parents() -> Iterator[list[Parent]]:
    started = [Parent(), Parent()]
    yield started
    for parent in started:
        parent.close()


def test_the_family_of_one_thread_is_killed_and_no_other(parents: list[Parent]) -> None:
    doomed, spared = parents
    assert families.kill(doomed.id) == 2
    wait_until(lambda: doomed.child.poll() is not None, "the end of the child")
    assert doomed.child.stdout is not None
    assert doomed.child.stdout.read() == b"", "the pipe ends with the last that holds it"
    assert spared.child.poll() is None


def test_a_thread_that_is_gone_has_no_family() -> None:
    assert families.kill(2**22 + 1) == 0


def test_all_the_patience_with_a_deaf_run_ends_in_time() -> None:
    noticed = 2 * worker.KEEP_TIME_EVERY_S  # once that its time is up, once that it is deaf
    retiring = worker.KEEP_TIME_EVERY_S + custody.OVERDUE_AFTER_S + worker.LISTEN_S
    assert noticed + custody.DEAF_AFTER_S + retiring <= WITHIN_S
