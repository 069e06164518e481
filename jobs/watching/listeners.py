"""One stream's place at the hub: bounded, in order, and able to tell that it missed something.

No I/O and no clock but the one it is given. The hub feeds it stretches of history; a page read from
the database is a stretch too. A stretch says after which number it begins, so one that does not
follow what was seen shows a gap, whatever the order in which things came: the listener is then
behind, and catches up from the database.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from dataclasses import dataclass

from jobs.states import TERMINAL
from jobs.watching.lines import Stretch

GONE = "deleted"  # retention may remove a job that somebody still watches
BUFFERED_LINES = 256
BUFFERED_BYTES = 262_144
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a job's history goes, and whether it is over."""

    last_seq: int
    status: str

    @property
    def over(self) -> bool:
        return self.status in TERMINAL or self.status == GONE


class Watcher:
    """Somebody who wants to know when a job is over."""

    def __init__(self, job_id: uuid.UUID) -> None:
        self.job_id = job_id
        self.mark: Mark | None = None
        self.stopped = False
        self.beat_due_at = NEVER
        self._news = asyncio.Event()

    def feed(self, stretch: Stretch, mark: Mark) -> None:
        self.mark = mark
        self._news.set()

    def stop(self) -> None:
        """The client left, or the server is about to."""
        self.stopped = True
        self._news.set()

    def nudge(self) -> None:
        self._news.set()

    @property
    def over(self) -> bool:
        return self.mark is not None and self.mark.over

    async def wait(self) -> None:
        """Until something came since the last time."""
        await self._news.wait()
        self._news.clear()


class Listener(Watcher):
    """Somebody who wants every event after `seen`, once and in order."""

    def __init__(self, job_id: uuid.UUID, seen: int) -> None:
        super().__init__(job_id)
        self.seen = seen
        self._missed = True  # nothing is known yet: history comes from the database first
        self._waiting: deque[Stretch] = deque()
        self._lines = 0
        self._bytes = 0

    def feed(self, stretch: Stretch, mark: Mark) -> None:
        if not self._missed:
            self._waiting.append(stretch)
            self._lines += len(stretch.lines)
            self._bytes += stretch.size_bytes
            if self._lines > BUFFERED_LINES or self._bytes > BUFFERED_BYTES:
                self._miss()
        super().feed(stretch, mark)

    def take(self) -> list[Stretch]:
        """What follows `seen`; nothing when there is a gap, and the listener is behind then."""
        taken: list[Stretch] = []
        for stretch in self._waiting:
            if stretch.after > self.seen:
                self._miss()
                return taken
            if stretch.upto > self.seen:
                taken.append(stretch.since(self.seen))
                self.seen = stretch.upto
        self._forget()
        return taken

    def begin_page(self) -> int:
        """A page of history after this number is about to be read; what is fed from now is kept."""
        self._missed = False
        return self.seen

    def turn_page(self, stretch: Stretch, mark: Mark) -> Stretch:
        """What was read. Where `seen` is beyond the job's history (an id of another job, or made
        up) the page begins at the beginning, and so does the listener."""
        self.mark = mark
        if mark.status != GONE:
            self.seen = stretch.upto
        if stretch.upto < mark.last_seq:
            self._miss()
        return stretch

    def fail_page(self) -> None:
        self._miss()

    @property
    def behind(self) -> bool:
        return self._missed

    @property
    def finished(self) -> bool:
        """The job is over and every event of it has been taken."""
        return (
            self.mark is not None
            and self.mark.over
            and not self._missed
            and self.seen >= self.mark.last_seq
        )

    def _miss(self) -> None:
        self._missed = True
        self._forget()

    def _forget(self) -> None:
        self._waiting.clear()
        self._lines = self._bytes = 0
