"""Which failures come back, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import retries
from jobs.errors import Failure

pytestmark = pytest.mark.pure

CONTRACT_CODES = {
    "oom", "invalid_model", "invalid_input", "timeout", "provider_error", "storage_error",
    "worker_lost", "canceled", "internal",
}  # fmt: skip


def test_every_code_of_the_contract_has_its_place() -> None:
    assert set(retries.TRANSIENT_BY_CODE) == CONTRACT_CODES


@pytest.mark.parametrize("code", ["worker_lost", "storage_error"])
def test_what_may_pass_is_tried_again_until_the_attempts_are_used_up(code: str) -> None:
    failure = Failure(code, "")
    assert retries.should_retry(failure, 2, 3)
    assert not retries.should_retry(failure, 3, 3)


@pytest.mark.parametrize("code", ["oom", "invalid_input", "invalid_model", "timeout", "internal"])
def test_what_will_not_pass_is_not_tried_again(code: str) -> None:
    assert not retries.should_retry(Failure(code, ""), 1, 3)


def test_an_executor_may_say_that_its_failure_will_pass() -> None:
    assert retries.should_retry(Failure("provider_error", "", transient=True), 1, 3)


@given(attempts=st.integers(0, 60), dice=st.floats(0, 1))
def test_a_delay_doubles_within_its_bounds(attempts: int, dice: float) -> None:
    delay_s = retries.delay_s(attempts, dice)
    assert retries.BASE_DELAY_S / 2 <= delay_s <= retries.MAX_DELAY_S
    assert delay_s <= retries.delay_s(attempts + 1, dice)


def test_jobs_that_failed_together_do_not_come_back_together() -> None:
    assert retries.delay_s(3, 0.0) == retries.delay_s(3, 1.0) / 2
