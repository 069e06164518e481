from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.webhooks import schedule

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def test_the_last_attempt_is_about_a_day_after_the_first() -> None:
    delays = [schedule.delay_s(tries, 0.5) for tries in range(1, schedule.MAX_TRIES)]
    assert delays == pytest.approx(list(schedule.DELAYS_S))
    assert 20 <= sum(schedule.DELAYS_S) / 3600 <= 24
    assert schedule.delay_s(schedule.MAX_TRIES, 0.5) is None


def test_what_failed_together_does_not_come_back_together() -> None:
    early, late = schedule.delay_s(4, 0.0), schedule.delay_s(4, 1.0)
    assert [early, late] == pytest.approx([96, 144])


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (429, "120", 120),
        (503, " 120 ", 120),
        (503, "Fri, 20 Nov 2026 09:02:00 GMT", 120),
        (503, "Fri, 20 Nov 2026 08:00:00 GMT", 0),
        (503, "999999999999999999999", 86_400),
        (503, "-5", 0),
        (503, "soon", 0),
        (503, "", 0),
        (503, "Fri, 99 Nov 99999 09:02:00 GMT", 0),
        (500, "120", 0),
    ],
)
def test_a_receiver_may_ask_for_time(status: int, said: str, seconds: float) -> None:
    assert schedule.asked_delay_s(status, said, NOW) == pytest.approx(seconds)
