"""Numbers by the hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamforge_site.dashboard import series

pytestmark = pytest.mark.pure

NOW = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)


def test_a_day_has_an_hour_for_each_of_its_hours_and_ends_with_the_running_one() -> None:
    keys = series.hours(NOW)
    assert len(keys) == 24
    assert (keys[0], keys[-1]) == ("2026-02-28 02", "2026-03-01 01")
    assert series.labels(keys)[-2:] == ["00:00", "01:00"]


def test_hours_are_those_of_utc_wherever_the_clock_hangs() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert series.hours(elsewhere) == series.hours(NOW)


def test_hours_without_anything_are_zero_and_strangers_are_left_out() -> None:
    keys = series.hours(NOW, 3)
    assert series.filled([(keys[1], 7), ("1999-01-01 00", 9)], keys) == [0, 7, 0]


def test_a_spread_is_none_where_nothing_was_measured() -> None:
    keys = series.hours(NOW, 2)
    spread = series.spread([(keys[1], value) for value in (1.0, 2.0, 9.0)], keys)
    assert spread == ([None, 2.0], [None, 9.0])


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_and_so_many_do_not_exceed_it(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    found = series.percentile(ordered, share)
    assert found is not None
    assert any(round(value, 3) == found for value in ordered)
    assert sum(round(value, 3) <= found for value in ordered) >= share * len(ordered) - 1e-9
