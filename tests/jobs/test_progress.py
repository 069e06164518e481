"""Progress only grows, and is the mean over the items."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.progress import Progress

pytestmark = pytest.mark.pure

STAGES = {"load": 0.05, "sampling": 0.85, "finalize": 0.10}
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(sorted(STAGES)), st.floats(-1, 2)), max_size=40
)


@given(steps=STEPS)
def test_progress_never_goes_back_and_stays_within_its_range(
    steps: list[tuple[int, str, float]],
) -> None:
    progress = Progress(STAGES, 3)
    seen = [0.0]
    for item, stage, fraction in steps:
        progress.advance(item, stage, fraction)
        seen.append(progress.overall())
    assert seen == sorted(seen)
    assert 0.0 <= seen[-1] <= 1.0


def test_a_job_is_the_mean_of_its_items_and_an_item_of_its_weighted_stages() -> None:
    progress = Progress(STAGES, 2)
    progress.finish_item(0)
    progress.advance(1, "load", 1.0)
    assert progress.of_item(1) == pytest.approx(0.05)
    assert progress.overall() == pytest.approx((1 + 0.05) / 2)


def test_what_is_no_news_is_said_to_be_none() -> None:
    progress = Progress(STAGES, 1)
    assert progress.advance(0, "load", 0.5)
    assert not progress.advance(0, "load", 0.5)
    assert not progress.advance(0, "load", float("nan"))


@pytest.mark.parametrize(("item", "stage"), [(1, "load"), (-1, "load"), (0, "dream")])
def test_an_unknown_item_or_stage_is_refused(item: int, stage: str) -> None:
    with pytest.raises(ValueError, match="no stage"):
        Progress(STAGES, 1).advance(item, stage, 0.5)
