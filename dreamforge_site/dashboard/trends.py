"""The last day by the hour, for the charts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import CharField, Count, F, Func, QuerySet, Sum, Value
from django.db.models.functions import Substr
from django.utils import timezone

from downloader.kinds import TYPES
from dreamforge_site.dashboard import series
from dreamforge_site.dashboard.figures import DAY, MADE_WITHIN
from dreamforge_site.dashboard.keeping import kept
from dreamforge_site.dashboard.series import Spread
from jobs.models import Job
from jobs.states import TERMINAL

KEPT_S = 20.0
MEASURED_JOBS = 4_000  # the newest: enough for the shape of a day, and read in no time
OUTCOMES = ("succeeded", "failed", "canceled")


@dataclass(frozen=True)
class Trends:
    hours: list[str]
    outcomes: dict[str, list[int]]
    waited_s: Spread
    ran_s: Spread


@kept(KEPT_S)
def jobs() -> Trends:
    now = timezone.now()
    keys = series.hours(now)
    waited, ran = _measured(now)
    ended = _ended(now)
    return Trends(
        hours=series.labels(keys),
        outcomes={status: series.filled(ended[status], keys) for status in OUTCOMES},
        waited_s=series.spread(waited, keys),
        ran_s=series.spread(ran, keys),
    )


@kept(KEPT_S)
def download_bytes() -> list[int]:
    """By the hour in which their downloads ended."""
    now = timezone.now()
    rows = _of_the_day(now).filter(type__in=TYPES, download__bytes_received__gt=0)
    by_hour = rows.annotate(hour=_hour("finished_at")).values_list("hour")
    sums = by_hour.annotate(size=Sum("download__bytes_received"))
    return series.filled(sums.values_list("hour", "size"), series.hours(now))


def _ended(now: datetime) -> dict[str, list[tuple[str, int]]]:
    ended = _of_the_day(now).filter(status__in=sorted(TERMINAL))
    by_hour = ended.annotate(hour=_hour("finished_at")).values_list("status", "hour")
    found: dict[str, list[tuple[str, int]]] = {status: [] for status in OUTCOMES}
    for status, hour, count in by_hour.annotate(n=Count("pk")):
        found[status].append((hour, count))
    return found


def _of_the_day(now: datetime) -> QuerySet[Job]:
    """A job that ended today was made in the last days: that part of the index is read."""
    recent = Job.objects.filter(created_at__gte=now - MADE_WITHIN, finished_at__gte=now - DAY)
    return recent.order_by()


def _hour(name: str) -> Func:
    """The moment's hour as `series.key` writes it, said by the database itself: a function of
    ours, called for every row, would cost ten times as much on SQLite."""
    if connection.vendor == "sqlite":
        return Substr(name, 1, 13, output_field=CharField())
    form = Value("YYYY-MM-DD HH24")
    return Func(F(name), form, function="to_char", output_field=CharField())


def _measured(now: datetime) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """How long the newest jobs waited and ran, by the hour of their start and of their end."""
    times = ("available_at", "started_at", "finished_at")
    started = Job.objects.filter(created_at__gte=now - DAY, started_at__isnull=False)
    rows = list(started.order_by("-created_at", "-id").values_list(*times)[:MEASURED_JOBS])
    return list(_waits(rows)), list(_runs(rows))


Times = tuple[datetime, datetime | None, datetime | None]


def _waits(rows: list[Times]) -> Iterator[tuple[str, float]]:
    for available, started, _finished in rows:
        if started is not None:
            yield series.key(started), max(0.0, (started - available).total_seconds())


def _runs(rows: list[Times]) -> Iterator[tuple[str, float]]:
    for _available, started, finished in rows:
        if started is not None and finished is not None:
            yield series.key(finished), (finished - started).total_seconds()
