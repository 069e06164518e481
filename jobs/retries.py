"""Which failures are tried again, how often and when: functions of values, no clock, no I/O."""

from __future__ import annotations

from jobs.errors import Failure

# The contract's job error codes; True: the same job may well succeed another time.
TRANSIENT_BY_CODE = {
    "worker_lost": True,
    "storage_error": True,
    "oom": False,
    "invalid_model": False,
    "invalid_input": False,
    "timeout": False,
    "provider_error": False,
    "canceled": False,
    "internal": False,
}
BASE_DELAY_S = 2.0
MAX_DELAY_S = 300.0


def should_retry(failure: Failure, attempts: int, max_attempts: int) -> bool:
    return is_transient(failure) and attempts < max_attempts


def is_transient(failure: Failure) -> bool:
    """A code of the table decides; `transient` lets an executor say so of a broken connection."""
    return TRANSIENT_BY_CODE.get(failure.code, False) or failure.transient


def delay_s(attempts: int, dice: float) -> float:
    """Seconds before attempt `attempts + 1`: doubling, and spread by `dice` (0..1) so that many
    jobs that failed together do not come back together."""
    ceiling: float = min(MAX_DELAY_S, BASE_DELAY_S * 2.0 ** max(0, attempts - 1))
    return ceiling * (0.5 + dice / 2)
