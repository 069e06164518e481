"""One look for all who ask."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from dreamforge_site.dashboard.keeping import Kept

pytestmark = pytest.mark.pure


def test_a_look_is_kept_until_its_time_is_up() -> None:
    numbers = count(1)
    kept = Kept(lambda: next(numbers), 1000)
    assert [kept(), kept(), kept()] == [1, 1, 1]
    kept.forget()
    assert kept() == 2
    hasty = Kept(lambda: next(numbers), 0)
    assert [hasty(), hasty()] == [3, 4]


def test_many_who_ask_at_once_cost_one_look() -> None:
    looks: list[int] = []
    started = threading.Barrier(8)

    def look() -> int:
        looks.append(1)
        return 7

    kept = Kept(look, 1000)
    told: list[int] = []

    def ask() -> None:
        started.wait()
        told.append(kept())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [7] * 8
    assert looks == [1]


def test_a_look_that_fails_is_tried_again() -> None:
    outcomes: list[Exception | int] = [ValueError("away"), 5]

    def look() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    kept = Kept(look, 1000)
    with pytest.raises(ValueError, match="away"):
        kept()
    assert kept() == 5
