"""Reading a job's log in pages: however long it is, a reader holds one page of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import close_old_connections, connection

from jobs.models import Event, Job
from jobs.watching import lines

PAGE = 500
SEQ = lines.FIELDS.index("seq")


@dataclass(frozen=True)
class Wanted:
    """Which lines: of those after `since_ts` and after number `after`, the last `tail`."""

    tail: int | None = None
    since_ts: datetime | None = None
    after: int = 0


def pages(job: Job, wanted: Wanted) -> Iterator[bytes]:
    """The lines up to the job's `last_seq`, oldest first, as NDJSON; one query a page."""
    rows = Event.objects.filter(job_id=job.pk, seq__lte=job.last_seq)
    if wanted.since_ts is not None:
        rows = rows.filter(ts__gt=wanted.since_ts)
    after = wanted.after
    if wanted.tail is not None:
        after = max(after, _before_the_last(rows, wanted.tail))
    more = True
    while more:
        found = list(rows.filter(seq__gt=after).order_by("seq").values_list(*lines.FIELDS)[:PAGE])
        more = len(found) == PAGE
        if not connection.in_atomic_block:
            # Each page may be asked for from another thread: none keeps a pooled connection.
            close_old_connections()
        if found:
            after = found[-1][SEQ]
            yield b"".join(map(lines.as_ndjson, found))


def _before_the_last(rows: Any, count: int) -> int:
    """The number before that of the `count`-th line from the end. Upkeep may have thinned the
    numbers of an old job, so they cannot simply be subtracted."""
    first = rows.order_by("-seq").values_list("seq", flat=True)[count - 1 : count].first()
    return 0 if first is None else int(first) - 1
