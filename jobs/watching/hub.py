"""One reader a process that tells every listener what happened to its job.

A listener is a bounded buffer. One that falls behind is not waited for and not fed further: it
catches up from the database at its own pace, so that a client that never reads costs a fixed
amount of memory and delays nobody. Everything but the reads runs on the event loop.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError

from jobs.watching import history
from jobs.watching.history import Mark
from jobs.watching.lines import Line

log = structlog.get_logger(__name__)

T = TypeVar("T")
News = dict[uuid.UUID, tuple[Mark, list[Line]]]
LOOK_EVERY_S = 0.1
AWAY_WAIT_S = 1.0
BUFFERED_LINES = 256


class Listener:
    """One stream's place at the hub: lines in order after `seen`, or the word that it is behind."""

    def __init__(self, job_id: uuid.UUID, seen: int) -> None:
        self.job_id = job_id
        self.seen = seen
        self.behind = True  # nothing is known yet: history comes from the database first
        self.mark: Mark | None = None
        self._lines: deque[Line] = deque()
        self._news = asyncio.Event()

    def feed(self, lines: list[Line], mark: Mark) -> None:
        self.mark = mark
        if not self.behind:
            self._lines.extend(lines)
            if len(self._lines) > BUFFERED_LINES:
                self._lines.clear()
                self.behind = True
        self._news.set()

    def take(self) -> list[Line]:
        """What has come since the last call, once each and in order."""
        lines = [line for line in self._lines if line.seq > self.seen]
        self._lines.clear()
        self._news.clear()
        if lines:
            self.seen = lines[-1].seq
        return lines

    @property
    def over(self) -> bool:
        return self.mark is not None and self.mark.over

    @property
    def finished(self) -> bool:
        """The job is over and every event of it has been taken."""
        return self.mark is not None and self.mark.over and self.seen >= self.mark.last_seq

    async def wait(self, timeout_s: float) -> bool:
        """Whether anything came within the time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True


class Hub:
    def __init__(self) -> None:
        self._listeners: dict[uuid.UUID, set[Listener]] = {}
        self._told: dict[uuid.UUID, int] = {}
        self._fresh: set[uuid.UUID] = set()
        self._version: int | None = None
        # Its own thread: a look must not queue behind requests, nor they behind it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watch")
        self._reader: asyncio.Task[None] | None = None

    def join(self, job_id: uuid.UUID, after: int) -> Listener:
        listener = Listener(job_id, after)
        self._listeners.setdefault(job_id, set()).add(listener)
        self._fresh.add(job_id)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read())
        return listener

    def leave(self, listener: Listener) -> None:
        listeners = self._listeners.get(listener.job_id, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(listener.job_id, None)
            self._told.pop(listener.job_id, None)

    @property
    def open_streams(self) -> int:
        return sum(len(listeners) for listeners in self._listeners.values())

    async def catch_up(self, listener: Listener) -> list[Line]:
        """A page of history for one that is behind; an empty page means that it has caught up."""
        listener.behind = False  # from here on lines are buffered, so nothing falls between
        lines = await self._in_thread(lambda: history.page(listener.job_id, listener.seen))
        if lines:
            listener.seen = lines[-1].seq
        listener.behind = len(lines) == history.PAGE
        return lines

    async def _read(self) -> None:
        while self._listeners:
            try:
                await self._look()
                await asyncio.sleep(LOOK_EVERY_S)
            except (DatabaseError, InterfaceError) as error:
                log.warning("database_away", task="watch", error=type(error).__name__)
                await asyncio.sleep(AWAY_WAIT_S)

    async def _look(self) -> None:
        fresh, self._fresh = self._fresh, set()
        told = {job_id: self._told.get(job_id) for job_id in self._listeners}
        try:
            version, news = await self._in_thread(lambda: self._ask(told, fresh))
        except BaseException:
            self._fresh |= fresh
            raise
        self._version = version
        for job_id, (mark, lines) in news.items():
            if job_id in self._listeners:
                self._told[job_id] = mark.last_seq
                for listener in self._listeners[job_id]:
                    listener.feed(lines, mark)

    def _ask(
        self, told: dict[uuid.UUID, int | None], fresh: set[uuid.UUID]
    ) -> tuple[int | None, News]:
        """In the reader's thread: the jobs that have news, with their news."""
        version = history.data_version()
        if version is not None and version == self._version and not fresh:
            return version, {}
        marks = history.marks(told)
        moved = {
            job_id: mark
            for job_id, mark in marks.items()
            if job_id in fresh or mark.last_seq != told[job_id]
        }
        # Up to the mark and no further: what commits between the two queries is told next time,
        # together with the status it came with.
        spans = {
            job_id: (after, mark.last_seq)
            for job_id, mark in moved.items()
            if (after := told[job_id]) is not None and after < mark.last_seq
        }
        lines = history.news(spans)
        return version, {job_id: (mark, lines.get(job_id, [])) for job_id, mark in moved.items()}

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def clean() -> T:
            try:
                return work()
            finally:
                history.release()

        return await asyncio.get_running_loop().run_in_executor(self._thread, clean)
