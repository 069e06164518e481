"""One reader a process that tells every watcher what happened to its job.

A listener is a bounded buffer. One that falls behind is not waited for and not fed further: it
catches up from the database at its own pace, so that a client that never reads costs a fixed
amount of memory and delays nobody. Everything but the reads runs on the event loop.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError

from jobs.watching import history
from jobs.watching.lines import Stretch
from jobs.watching.listeners import Listener, Mark, Watcher
from jobs.watching.looking import Look, News

log = structlog.get_logger(__name__)

T = TypeVar("T")
Page = tuple[Stretch, Mark]
# Short while there is news, longer and longer while there is none.
LOOK_SOON_S = 0.05
LOOK_LATEST_S = 0.25
SLOWING = 1.3
AWAY_WAIT_S = 1.0
HEARTBEATS_EVERY_S = 1.0


class Hub:
    def __init__(self) -> None:
        self._watchers: dict[uuid.UUID, set[Watcher]] = {}
        self._marks: dict[uuid.UUID, Mark] = {}
        self._joined = asyncio.Event()
        self._look = Look()
        # Threads of their own, with a connection each: a look must not queue behind requests, nor
        # behind the pages of those who come late.
        self._looking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watch")
        self._paging = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self._pages: dict[tuple[uuid.UUID, int], asyncio.Task[Page]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._heart: asyncio.Task[None] | None = None

    def join(self, watcher: Watcher) -> None:
        self._watchers.setdefault(watcher.job_id, set()).add(watcher)
        if self._reader is None or self._reader.done():
            self._joined = asyncio.Event()  # of this event loop: the last one's may be closed
            self._reader = asyncio.get_running_loop().create_task(self._read())
        known = self._marks.get(watcher.job_id)
        if known is None:
            self._joined.set()
        else:
            watcher.feed(Stretch(known.last_seq, known.last_seq), known)
        if self._heart is None or self._heart.done():
            self._heart = asyncio.get_running_loop().create_task(self._beat())

    def leave(self, watcher: Watcher) -> None:
        watchers = self._watchers.get(watcher.job_id, set())
        watchers.discard(watcher)
        if not watchers:
            self._watchers.pop(watcher.job_id, None)
            self._marks.pop(watcher.job_id, None)

    @property
    def watchers(self) -> int:
        return sum(len(watchers) for watchers in self._watchers.values())

    async def page(self, listener: Listener) -> Stretch:
        """What comes next for one that is behind. Many who came at once share one read."""
        key = (listener.job_id, listener.begin_page())
        reading = self._pages.get(key)
        if reading is None:
            work = partial(history.page, *key)
            reading = asyncio.create_task(_in_thread(self._paging, work, history.release))
            self._pages[key] = reading
            reading.add_done_callback(partial(self._page_was_read, key))
        try:
            stretch, mark = await asyncio.shield(reading)
        except (DatabaseError, InterfaceError):
            listener.fail_page()
            await asyncio.sleep(AWAY_WAIT_S)
            return Stretch(listener.seen, listener.seen)
        return listener.turn_page(stretch, mark)

    def _page_was_read(self, key: tuple[uuid.UUID, int], reading: asyncio.Task[Page]) -> None:
        self._pages.pop(key, None)
        if not reading.cancelled():
            reading.exception()  # seen, even where all who waited for it have left

    async def _read(self) -> None:
        pause_s = LOOK_SOON_S
        while self._watchers:
            try:
                heard = await self._tell()
            except (DatabaseError, InterfaceError):
                self._look.forget()
                await asyncio.sleep(AWAY_WAIT_S)
            else:
                pause_s = LOOK_SOON_S if heard else min(LOOK_LATEST_S, pause_s * SLOWING)
                await self._pause(pause_s)
        self._reader = None  # from here on whoever joins starts another
        await _in_thread(self._looking, history.release)

    async def _tell(self) -> bool:
        """Look once and tell the watchers; whether there was anything to tell."""
        self._joined.clear()
        told = {
            job_id: mark.last_seq if (mark := self._marks.get(job_id)) else None
            for job_id in self._watchers
        }
        news: News = await _in_thread(self._looking, partial(self._look.changes, told))
        for job_id, (stretch, mark) in news.items():
            if job_id in self._watchers:
                self._marks[job_id] = mark
                for watcher in self._watchers[job_id]:
                    watcher.feed(stretch, mark)
        return bool(news)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but look sooner for somebody whose job is new here."""
        await asyncio.sleep(LOOK_SOON_S)
        if seconds > LOOK_SOON_S:
            try:
                async with asyncio.timeout(seconds - LOOK_SOON_S):
                    await self._joined.wait()
            except TimeoutError:
                pass  # nobody came

    async def _beat(self) -> None:
        """Wake those that have said nothing for a while: one timer for all streams."""
        while self._watchers:
            await asyncio.sleep(HEARTBEATS_EVERY_S)
            now = asyncio.get_running_loop().time()
            for watchers in self._watchers.values():
                for watcher in watchers:
                    if watcher.beat_due_at <= now:
                        watcher.nudge()


async def _in_thread(
    pool: ThreadPoolExecutor, work: Callable[[], T], afterwards: Callable[[], None] | None = None
) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, _careful, work, afterwards)


def _careful(work: Callable[[], T], afterwards: Callable[[], None] | None) -> T:
    try:
        found = work()
    except (DatabaseError, InterfaceError) as error:
        log.warning("database_away", task="watch", error=type(error).__name__)
        history.drop()
        raise
    if afterwards is not None:
        afterwards()
    return found


@cache
def of_this_process() -> Hub:
    return Hub()
