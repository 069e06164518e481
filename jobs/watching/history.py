"""What the hub asks the database: always by (job, seq), so that no late commit is missed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import close_old_connections, connection
from django.db.models import Q

from jobs.models import Event, Job
from jobs.states import TERMINAL
from jobs.watching.lines import FIELDS, Line, as_line

PAGE = 500
JOBS_AT_ONCE = 200
GONE = "deleted"  # retention may remove a job that somebody still watches


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a job's history goes, and whether it is over."""

    last_seq: int
    status: str

    @property
    def over(self) -> bool:
        return self.status in TERMINAL or self.status == GONE


def marks(job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Mark]:
    ids = list(job_ids)
    found: dict[uuid.UUID, Mark] = {}
    for start in range(0, len(ids), JOBS_AT_ONCE):
        rows = Job.objects.filter(id__in=ids[start : start + JOBS_AT_ONCE])
        for job_id, last_seq, status in rows.values_list("id", "last_seq", "status"):
            found[job_id] = Mark(last_seq, status)
    gone = Mark(0, GONE)
    return {job_id: found.get(job_id, gone) for job_id in ids}


def page(job_id: uuid.UUID, after: int) -> list[Line]:
    rows = Event.objects.filter(job_id=job_id, seq__gt=after).order_by("seq")
    return [as_line(row) for row in rows.values_list(*FIELDS)[:PAGE]]


def news(spans: Mapping[uuid.UUID, tuple[int, int]]) -> dict[uuid.UUID, list[Line]]:
    """The events of several jobs, each after one number and up to another."""
    found: dict[uuid.UUID, list[Line]] = {job_id: [] for job_id in spans}
    items = list(spans.items())
    for start in range(0, len(items), JOBS_AT_ONCE):
        wanted = Q()
        for job_id, (after, upto) in items[start : start + JOBS_AT_ONCE]:
            wanted |= Q(job_id=job_id, seq__gt=after, seq__lte=upto)
        rows = Event.objects.filter(wanted).order_by("job_id", "seq")
        for row in rows.values_list(*FIELDS):
            found[row[0]].append(as_line(row))
    return found


def release() -> None:
    """Give a pooled connection back between looks."""
    close_old_connections()


def data_version() -> int | None:
    """SQLite's counter of other connections' commits, kept in memory and a thousand times cheaper
    than a query; None where there is no such thing."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])
