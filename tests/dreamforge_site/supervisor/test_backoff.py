from __future__ import annotations

import pytest

from dreamforge_site.supervisor.backoff import LONGEST_S, STABLE_S, Backoff

pytestmark = pytest.mark.pure


def delays(*uptimes_s: float) -> list[float]:
    backoff, found = Backoff(), []
    for uptime_s in uptimes_s:
        backoff = backoff.after_crash(uptime_s)
        found.append(backoff.delay_s)
    return found


def test_each_quick_crash_doubles_the_wait() -> None:
    assert delays(0.1, 0.1, 0.1, 0.1) == [0.5, 1.0, 2.0, 4.0]


def test_the_wait_stays_bounded_however_often_it_crashes() -> None:
    assert Backoff(crashes=5000).after_crash(0).delay_s == LONGEST_S


def test_a_crash_after_a_stable_time_counts_as_the_first() -> None:
    assert delays(0.1, 0.1, 0.1, STABLE_S) == [0.5, 1.0, 2.0, 0.5]
