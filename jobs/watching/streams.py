"""One client's event stream: catch up, follow, end. A coroutine; no thread, no connection.

A client that takes nothing is let go by the server's connection, which ends the stream as if the
client had left; it can resume.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from jobs.watching import hub
from jobs.watching.exchange import Answer, Exchange
from jobs.watching.lines import HEARTBEAT, end, joined, retry_hint
from jobs.watching.listeners import Listener, Watcher

HEARTBEAT_S = 15.0
# Spread, so that a thousand clients of a server that restarts do not come back at one moment.
RETRY_MS = (1000, 3000)


async def serve(ticket: dict[str, Any], answer: Answer, exchange: Exchange) -> None:
    """Give the stream that Django's view has allowed: `ticket` names the job and the start."""
    listener = Listener(uuid.UUID(ticket["job_id"]), int(ticket["after"]))
    headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    start = {"type": "http.response.start", "status": answer.status, "headers": headers}
    async with watching(listener, exchange):
        await exchange.send(start)
        await _Stream(listener, exchange).tell()


@asynccontextmanager
async def watching(watcher: Watcher, exchange: Exchange) -> AsyncIterator[None]:
    """At the hub until the end, and stopped when the client leaves or the server closes."""
    of_all = hub.of_this_process()
    of_all.join(watcher)
    leaving = asyncio.create_task(_stop_when_over(watcher, exchange))
    try:
        yield
    finally:
        leaving.cancel()
        of_all.leave(watcher)


async def _stop_when_over(watcher: Watcher, exchange: Exchange) -> None:
    await exchange.over()
    watcher.stop()


class _Stream:
    def __init__(self, listener: Listener, exchange: Exchange) -> None:
        self._listener = listener
        self._exchange = exchange
        self._clock = asyncio.get_running_loop().time

    async def tell(self) -> None:
        listener = self._listener
        await self._write(retry_hint(random.randint(*RETRY_MS)))  # noqa: S311  spread, not secrecy
        while not listener.stopped:
            if listener.behind:
                stretches = [await hub.of_this_process().page(listener)]
            else:
                stretches = listener.take()
            if body := joined(stretches):
                await self._write(body)
                self._exchange.told(sum(len(stretch.lines) for stretch in stretches))
            elif listener.finished and listener.mark is not None:
                last_seq = max(listener.seen, listener.mark.last_seq)
                await self._write(end(last_seq, listener.mark.status), more=False)
                return
            elif not listener.behind:
                await self._wait()
        # No end event: the client comes back and resumes, here or at another server.
        await self._write(b"", more=False)

    async def _wait(self) -> None:
        if self._clock() >= self._listener.beat_due_at:
            await self._write(HEARTBEAT)
        await self._listener.wait()

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        self._listener.beat_due_at = self._clock() + HEARTBEAT_S
        await self._exchange.send({"type": "http.response.body", "body": body, "more_body": more})
