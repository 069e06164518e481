"""Numbers by the hour: functions of values, with no clock and no database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import NamedTuple

HOURS = 24
KEY = "%Y-%m-%d %H"


class Spread(NamedTuple):
    """By hour; None where nothing was measured."""

    p50: list[float | None]
    p95: list[float | None]


def hours(now: datetime, count: int = HOURS) -> list[str]:
    """The keys of the last hours in UTC, oldest first; the last is the one that runs."""
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return [key(last - timedelta(hours=back)) for back in range(count - 1, -1, -1)]


def key(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(KEY)


def labels(keys: Iterable[str]) -> list[str]:
    """As an axis shows them."""
    return [f"{hour[-2:]}:00" for hour in keys]


def filled(counted: Iterable[tuple[str, int]], keys: Sequence[str]) -> list[int]:
    """One number an hour; what lies outside is left out, what is missing is 0."""
    found = dict(counted)
    return [found.get(hour, 0) for hour in keys]


def spread(measured: Iterable[tuple[str, float]], keys: Sequence[str]) -> Spread:
    by_hour: dict[str, list[float]] = {hour: [] for hour in keys}
    for hour, value in measured:
        if hour in by_hour:
            by_hour[hour].append(value)
    ordered = [sorted(values) for values in by_hour.values()]
    return Spread(
        [percentile(values, 0.50) for values in ordered],
        [percentile(values, 0.95) for values in ordered],
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that so many of them do not exceed; `ordered` is sorted."""
    if not ordered:
        return None
    return round(ordered[max(0, ceil(share * len(ordered)) - 1)], 3)
