"""When an attempt that failed is made again: functions of values, no clock, no I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MINUTE, HOUR = 60.0, 3600.0
# Before the second attempt, the third… The last is made about a day after the first.
DELAYS_S = (
    1.0,
    5.0,
    30.0,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    1 * HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    8 * HOUR,
)
MAX_TRIES = len(DELAYS_S) + 1
SPREAD = 0.2
LONGEST_RETRY_AFTER_S = 24 * HOUR
ASKS_FOR_TIME = (429, 503)


def delay_s(tries: int, dice: float) -> float | None:
    """Seconds until the next attempt after `tries` failed ones; None when all are used up.
    `dice` (0..1) spreads what failed together."""
    if tries >= MAX_TRIES:
        return None
    return DELAYS_S[max(0, tries - 1)] * (1 - SPREAD + 2 * SPREAD * dice)


def asked_delay_s(status: int, retry_after: str, now: datetime) -> float:
    """What the receiver asked for, within a day; 0 when it did not."""
    if status not in ASKS_FOR_TIME:
        return 0.0
    return max(0.0, min(LONGEST_RETRY_AFTER_S, _seconds(retry_after.strip(), now)))


def _seconds(retry_after: str, now: datetime) -> float:
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
