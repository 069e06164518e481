"""The loop over small shell programs: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dreamforge_site.environment import BASE_DIR
from tests.dreamforge_site.supervisor.supervised import Supervised, wait_until

pytestmark = [pytest.mark.pure, pytest.mark.live]

DRIVER = "tests.dreamforge_site.supervisor.driver"
SLEEP = "echo up; exec sleep 600"
DEAF = "trap '' TERM INT HUP; echo up; while :; do sleep 600; done"

Run = Callable[..., Supervised]


@pytest.fixture
def run() -> Iterator[Run]:
    started: list[Supervised] = []

    def start(*, ignoring: int = 0, **scripts: str) -> Supervised:
        command = [sys.executable, "-m", DRIVER, json.dumps(list(scripts.items())), str(ignoring)]
        started.append(Supervised(command, dict(os.environ), BASE_DIR))
        return started[-1]

    yield start
    for supervised in started:
        supervised.destroy()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_ends_everything(run: Run, number: signal.Signals) -> None:
    service = run(one=SLEEP, two=SLEEP)
    service.wait_for("one", "up")
    service.wait_for("two", "up")
    service.signal(number)
    assert service.exit_status() == number
    assert service.none_remain()


def test_control_c_reaches_the_children_through_the_supervisor_only(run: Run) -> None:
    polite = "trap 'echo got INT' INT; trap 'echo got TERM; exit 0' TERM; echo up; "
    service = run(one=polite + "while :; do sleep 0.05; done")
    service.wait_for("one", "up")
    service.interrupt_as_a_terminal_does()
    assert service.exit_status() == signal.SIGINT
    assert "got TERM" in service.text
    assert "got INT" not in service.text


def test_a_killed_child_comes_back_and_the_log_says_why_it_died(run: Run) -> None:
    service = run(one="echo pid $$; exec sleep 600")
    pid = int(service.wait_for("one", "| pid").rpartition(" ")[2])
    seen = len(service.lines)
    os.kill(pid, signal.SIGKILL)
    assert "SIGKILL" in service.wait_for("child_died", after=seen)
    assert int(service.wait_for("one", "| pid", after=seen).rpartition(" ")[2]) != pid


def test_a_child_that_crashes_at_once_waits_longer_each_time(run: Run) -> None:
    service = run(loop="exit 3")
    service.wait_for("child_died", "restart_in_s=0.5", "exit status 3")
    service.wait_for("child_died", "restart_in_s=1.0")
    service.wait_for("child_died", "restart_in_s=2.0")
    service.signal(signal.SIGTERM)
    assert service.exit_status() == signal.SIGTERM


def test_a_second_signal_kills_what_ignores_the_first(run: Run) -> None:
    service = run(deaf=DEAF)
    service.wait_for("deaf", "up")
    service.signal(signal.SIGINT)
    service.wait_for("stopping")
    service.signal(signal.SIGINT)
    assert service.exit_status() == signal.SIGINT
    assert service.none_remain()


def test_a_grandchild_in_its_own_session_that_ignores_term_is_killed(run: Run) -> None:
    service = run(parent=f'setsid /bin/sh -c "{DEAF}" & echo started; wait')
    service.wait_for("parent", "up")
    service.signal(signal.SIGTERM)
    assert service.exit_status() == signal.SIGTERM
    assert service.none_remain()


def test_what_a_crashed_child_leaves_behind_goes_before_it_restarts(run: Run) -> None:
    script = "setsid sleep 7654 & sleep 7655 & echo pid $$; wait"
    service = run(parent=script)
    pid = int(service.wait_for("parent", "| pid").rpartition(" ")[2])
    before = set(service.remaining())
    seen = len(service.lines)
    os.kill(pid, signal.SIGKILL)
    service.wait_for("parent", "| pid", after=seen)
    survivors = before & set(service.remaining())
    assert survivors == {service.process.pid}


def test_a_child_that_floods_its_output_does_not_keep_the_service_from_stopping(run: Run) -> None:
    service = run(loud="exec yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
    service.wait_for("loud", "aaaa")
    service.signal(signal.SIGTERM)
    assert service.exit_status() == signal.SIGTERM
    assert service.none_remain()


def test_a_closed_stdout_leaves_the_service_running(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks"
    script = f"while :; do echo tick >> {ticks}; echo tick; sleep 0.02; done"
    command = [sys.executable, "-m", DRIVER, json.dumps([["one", script]])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as service:
        try:
            assert service.stdout is not None
            service.stdout.readline()
            service.stdout.close()
            wait_until(ticks.exists, "a first tick")
            seen = ticks.stat().st_size
            wait_until(lambda: ticks.stat().st_size > seen + 100, "more ticks")
            service.send_signal(signal.SIGTERM)
            assert service.wait() == signal.SIGTERM
        finally:
            service.kill()


def test_a_supervisor_that_ignores_hangups_keeps_ignoring_them(run: Run) -> None:
    service = run(one=SLEEP, ignoring=signal.SIGHUP)
    service.wait_for("one", "up")
    service.signal(signal.SIGHUP)
    service.signal(signal.SIGTERM)
    assert service.exit_status() == signal.SIGTERM
