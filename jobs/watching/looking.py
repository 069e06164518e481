"""What changed among the watched jobs since the last look. Runs in the hub's reading thread.

The cost of a look does not grow with the number of jobs watched. SQLite says by a counter whether
anything was committed at all. Beyond a few jobs only those are asked about that run (as many as
there are slots), that ran at the last look, or that are new here; the rest, which wait in a queue
or were canceled there, is asked about every ROUND_EVERY_S.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping

from jobs.watching import history
from jobs.watching.history import Marks
from jobs.watching.lines import Stretch
from jobs.watching.listeners import Mark

News = dict[uuid.UUID, tuple[Stretch, Mark]]
FEW_JOBS = 100
ROUND_EVERY_S = 2.0
# Who was away for longer than this many events reads them page by page, as a newcomer does.
MOST_LINES = 1000


class Look:
    """Remembers between looks; only one thread uses it."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._ran: set[uuid.UUID] = set()
        self._round_at = -ROUND_EVERY_S
        self._round_version: int | None = None

    def changes(self, told: Mapping[uuid.UUID, int | None]) -> News:
        """`told`: how far each watched job's listeners were told; None for one that is new."""
        # Read before the rest: what commits in between is seen now, and looked for again next time.
        version = history.data_version()
        fresh = {job_id for job_id, upto in told.items() if upto is None}
        everyone = len(told) <= FEW_JOBS or self._round_is_due(version)
        quiet = version is not None and version == self._version and not fresh
        if quiet and (len(told) <= FEW_JOBS or not everyone):
            return {}
        marks = self._marks_of_all(told, version) if everyone else self._marks(told, fresh)
        moved = {job_id: mark for job_id, mark in marks.items() if mark.last_seq != told[job_id]}
        news = _stretches(moved, told)
        self._version = version
        return news

    def forget(self) -> None:
        """After a failure nothing is taken for known."""
        self._version = self._round_version = None
        self._round_at = -ROUND_EVERY_S

    def _round_is_due(self, version: int | None) -> bool:
        if version is not None and version == self._round_version:
            return False
        return time.monotonic() - self._round_at >= ROUND_EVERY_S

    def _marks_of_all(self, told: Mapping[uuid.UUID, int | None], version: int | None) -> Marks:
        """Of those that moved; the rest stands where it stood."""
        found = history.moved(told)
        self._round_at, self._round_version = time.monotonic(), version
        if len(told) > FEW_JOBS:
            self._ran = set(history.running()) & told.keys()
        return found

    def _marks(self, told: Mapping[uuid.UUID, int | None], fresh: set[uuid.UUID]) -> Marks:
        running = {job_id: mark for job_id, mark in history.running().items() if job_id in told}
        ended = (self._ran - running.keys()) & told.keys()
        self._ran = set(running)
        return running | history.marks(ended | (fresh - running.keys()))


def _stretches(moved: Marks, told: Mapping[uuid.UUID, int | None]) -> News:
    # Up to the mark and no further: what commits between the two queries is told next time,
    # together with the status it came with.
    spans = {
        job_id: (after, mark.last_seq)
        for job_id, mark in moved.items()
        if (after := told[job_id]) is not None and 0 < mark.last_seq - after <= MOST_LINES
    }
    lines = history.news(spans)
    return {
        job_id: (
            Stretch(
                spans[job_id][0] if job_id in spans else mark.last_seq,
                mark.last_seq,
                tuple(lines.get(job_id, ())),
            ),
            mark,
        )
        for job_id, mark in moved.items()
    }
