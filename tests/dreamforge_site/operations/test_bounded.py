"""Parts that hang cost their own time limit, once, and one thread."""

from __future__ import annotations

import threading
import time

import pytest

from dreamforge_site.operations.bounded import Panel

pytestmark = pytest.mark.pure


def asking_threads() -> int:
    return sum(thread.name == "ask-stuck" for thread in threading.enumerate())


def test_values_and_errors_come_back_by_name() -> None:
    error = ValueError("no")

    def fail() -> int:
        raise error

    found = Panel[int](5).ask({"one": lambda: 1, "none": fail})
    assert found["one"].value == 1
    assert found["none"].error is error
    assert not found["none"].timed_out


def test_parts_are_asked_at_the_same_time() -> None:
    meeting = threading.Barrier(3)
    found = Panel[int](30).ask(dict.fromkeys(("a", "b", "c"), meeting.wait))
    assert sorted(outcome.value or 0 for outcome in found.values()) == [0, 1, 2]


def test_a_part_that_hangs_is_told_and_does_not_hold_up_the_others() -> None:
    let_go = threading.Event()
    panel = Panel[bool](0.2)
    try:
        found = panel.ask({"hangs": let_go.wait, "answers": lambda: True})
        assert found["hangs"].timed_out
        assert found["answers"].value is True
    finally:
        let_go.set()


def test_a_hanging_part_is_not_asked_again_until_it_came_back() -> None:
    let_go, panel = threading.Event(), Panel[bool](0.05)
    before = asking_threads()
    try:
        timed_out = [panel.ask({"stuck": let_go.wait})["stuck"].timed_out for _ in range(5)]
        assert timed_out == [True] * 5
        assert asking_threads() == before + 1
    finally:
        let_go.set()
    for thread in [t for t in threading.enumerate() if t.name == "ask-stuck"]:
        thread.join()
    assert panel.ask({"stuck": lambda: True})["stuck"].value is True


def test_durations_are_measured() -> None:
    def slow() -> bool:
        time.sleep(0.05)
        return True

    assert Panel[bool](5).ask({"slow": slow})["slow"].duration_s >= 0.05
