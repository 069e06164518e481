"""One thread that serves what waits for it together: one crossing, one transaction, one wake-up.

A request that comes alone is served alone and at once. While it is served others gather, and they
are the next round.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
Result = TypeVar("Result")
Entry = tuple[Asked, "asyncio.Future[Answered | None]"]

MOST_AT_ONCE = 8
HOLD_S = 0.25  # what rounds hold (a database connection) is given back at least so often
WAITING_LIMIT = 256
STUCK_S = 1.0  # a round that takes longer must not hold up the others


class Lane(Generic[Asked, Answered]):
    """`serve` gives an answer, or None, for each of what it is asked; it raises nothing that is not
    a fault. `rest` is called in its thread when nothing waits."""

    def __init__(
        self,
        serve: Callable[[list[Asked]], Sequence[Answered | None]],
        rest: Callable[[], None],
    ) -> None:
        self._serve = serve
        self._rest = rest
        self._arrivals: SimpleQueue[Entry[Asked, Answered] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._began: float | None = None

    def has_room(self) -> bool:
        """False, and everybody who waits gets None, while the round that is served is stuck."""
        began = self._began
        if began is None or time.monotonic() - began < STUCK_S:
            return self._arrivals.qsize() < WAITING_LIMIT
        drained = self._drained(WAITING_LIMIT)
        waiting = [entry for entry in drained if entry is not None]
        if len(waiting) < len(drained):
            self._arrivals.put(None)  # the word to end is not for us
        _deliver([future for _, future in waiting], [None] * len(waiting))
        return False

    async def ask(self, asked: Asked) -> Answered | None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="express", daemon=True)
            self._thread.start()
        future: asyncio.Future[Answered | None] = asyncio.get_running_loop().create_future()
        self._arrivals.put((asked, future))
        return await future

    def close(self) -> None:
        """Serve what waits, and end the thread."""
        if self._thread is not None:
            self._arrivals.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        going_on, since = True, time.monotonic()
        while going_on:
            arrived = [self._arrivals.get(), *self._drained(MOST_AT_ONCE - 1)]
            going_on = None not in arrived
            self._began = time.monotonic()
            self._serve_all([entry for entry in arrived if entry is not None])
            if self._arrivals.empty() or time.monotonic() - since > HOLD_S:
                self._guarded(self._rest)
                since = time.monotonic()
            self._began = None

    def _drained(self, most: int) -> list[Entry[Asked, Answered] | None]:
        found: list[Entry[Asked, Answered] | None] = []
        with suppress(Empty):
            while len(found) < most:
                found.append(self._arrivals.get_nowait())
        return found

    def _serve_all(self, entries: list[Entry[Asked, Answered]]) -> None:
        if entries:
            futures = [future for _, future in entries]
            answers = self._guarded(lambda: self._serve([asked for asked, _ in entries]))
            told = answers or [None] * len(entries)
            futures[0].get_loop().call_soon_threadsafe(_deliver, futures, told)

    @staticmethod
    def _guarded(work: Callable[[], Result]) -> Result | None:
        """The border of the thread, which must outlive any fault."""
        try:
            return work()
        except Exception:
            log.exception("express_failed")
            return None


def _deliver(
    futures: list[asyncio.Future[Answered | None]], answers: Sequence[Answered | None]
) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if not future.done():  # its client may have left
            future.set_result(answer)
