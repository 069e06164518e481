"""What the hub asks the database: always by (job, seq), so that no late commit is missed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from django.db import close_old_connections, connection
from django.db.models import Q

from jobs.models import Event, Job
from jobs.states import State
from jobs.watching.lines import FIELDS, Line, Stretch, as_line
from jobs.watching.listeners import GONE, Mark

PAGE_LINES = 200
PAGE_BYTES = 131_072
MARKS_AT_ONCE = 500
SPANS_AT_ONCE = 100
Marks = dict[uuid.UUID, Mark]
MARK = ("id", "last_seq", "status")
MOVED = f"""
    SELECT told.id, job.last_seq, job.status
    FROM unnest(%s::uuid[], %s::integer[]) AS told (id, last_seq)
    LEFT JOIN {Job._meta.db_table} AS job ON job.id = told.id
    WHERE job.last_seq IS DISTINCT FROM coalesce(told.last_seq, -1)
"""  # noqa: S608  the table's name is ours


def marks(job_ids: Iterable[uuid.UUID]) -> Marks:
    ids = list(job_ids)
    found: Marks = {}
    for start in range(0, len(ids), MARKS_AT_ONCE):
        rows = Job.objects.filter(id__in=ids[start : start + MARKS_AT_ONCE]).order_by()
        found |= {job_id: Mark(*facts) for job_id, *facts in rows.values_list(*MARK)}
    gone = Mark(0, GONE)
    return {job_id: found.get(job_id, gone) for job_id in ids}


def moved(told: Mapping[uuid.UUID, int | None]) -> Marks:
    """Of those whose history does not end where their listeners were told; of the rest nothing,
    so that a thousand quiet jobs cost one short query."""
    if connection.vendor != "postgresql":
        return {id_: mark for id_, mark in marks(told).items() if mark.last_seq != told[id_]}
    with connection.cursor() as cursor:
        cursor.execute(MOVED, [list(told), list(told.values())])
        rows = cursor.fetchall()
    return {id_: Mark(0, GONE) if seq is None else Mark(seq, status) for id_, seq, status in rows}


def running() -> Marks:
    """Of all jobs those that run: as many as there are slots in the workers."""
    rows = Job.objects.filter(status=State.RUNNING).order_by()
    return {job_id: Mark(*facts) for job_id, *facts in rows.values_list(*MARK)}


def page(job_id: uuid.UUID, after: int) -> tuple[Stretch, Mark]:
    """The history after a number, or from its beginning when it does not reach that far."""
    mark = marks([job_id])[job_id]
    start = after if after <= mark.last_seq else 0
    # Up to the mark and no further, so that the page and the status belong together.
    rows = Event.objects.filter(job_id=job_id, seq__gt=start, seq__lte=mark.last_seq)
    found = list(rows.order_by("seq").values_list(*FIELDS)[:PAGE_LINES])
    lines = _fitting(found)
    whole = len(found) < PAGE_LINES and len(lines) == len(found)
    return Stretch(start, mark.last_seq if whole else lines[-1].seq, lines), mark


def _fitting(rows: list[tuple[object, ...]]) -> tuple[Line, ...]:
    lines: list[Line] = []
    size_bytes = 0
    for row in rows:
        lines.append(as_line(row))
        size_bytes += len(lines[-1].encoded)
        if size_bytes >= PAGE_BYTES:
            break
    return tuple(lines)


def news(spans: Mapping[uuid.UUID, tuple[int, int]]) -> dict[uuid.UUID, list[Line]]:
    """The events of several jobs, each after one number and up to another."""
    found: dict[uuid.UUID, list[Line]] = {job_id: [] for job_id in spans}
    items = list(spans.items())
    for start in range(0, len(items), SPANS_AT_ONCE):
        wanted = Q()
        for job_id, (after, upto) in items[start : start + SPANS_AT_ONCE]:
            wanted |= Q(job_id=job_id, seq__gt=after, seq__lte=upto)
        rows = Event.objects.filter(wanted).order_by("job_id", "seq")
        for row in rows.values_list(*FIELDS):
            found[row[0]].append(as_line(row))
    return found


def release() -> None:
    """Give a pooled connection back."""
    close_old_connections()


def drop() -> None:
    """Have nothing more to do with a connection that failed."""
    connection.close()


def data_version() -> int | None:
    """SQLite's counter of other connections' commits, kept in memory and a thousand times cheaper
    than a query; None where there is no such thing."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])
