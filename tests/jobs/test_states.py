import pytest

from jobs.states import ARROWS, LIVE, TERMINAL, State

pytestmark = pytest.mark.pure


def test_every_state_is_either_live_or_over() -> None:
    assert set(State) == LIVE | TERMINAL
    assert not LIVE & TERMINAL


def test_only_what_is_over_has_nowhere_to_go() -> None:
    assert {state for state in State if not ARROWS[state]} == TERMINAL
