"""Seeds stay within what every JSON reader keeps exact."""

from __future__ import annotations

import pytest

from runners import seeds

pytestmark = pytest.mark.pure


def test_fresh_seeds_differ_and_are_in_range() -> None:
    drawn = {seeds.fresh() for _ in range(200)}
    assert len(drawn) == 200
    assert min(drawn) >= 0
    assert max(drawn) <= seeds.LARGEST


def test_counting_up_goes_round_after_the_largest() -> None:
    assert seeds.incremented(5, 0) == 5
    assert seeds.incremented(5, 3) == 8
    assert seeds.incremented(seeds.LARGEST, 1) == 0
