"""One client's event stream: catch up, follow, end. A coroutine; no thread, no connection."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable
from functools import cache
from typing import Any

from jobs.watching.exchange import Answer, Exchange, Receive, Send
from jobs.watching.hub import Hub, Listener
from jobs.watching.lines import HEARTBEAT, Line, end

HEARTBEAT_S = 15.0
STALLED_S = 60.0  # a client that takes nothing for so long is let go; it can resume


@cache
def hub() -> Hub:
    """The one reader of this process."""
    return Hub()


async def serve(ticket: dict[str, Any], answer: Answer, exchange: Exchange) -> None:
    """Give the stream that Django's view has allowed: `ticket` names the job and the start."""
    listener = hub().join(uuid.UUID(ticket["job_id"]), int(ticket["after"]))
    headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    try:
        await exchange.send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        await until_either(_tell(listener, exchange.send), gone(exchange.receive))
    finally:
        hub().leave(listener)


async def _tell(listener: Listener, send: Send) -> None:
    while True:
        lines = await hub().catch_up(listener) if listener.behind else listener.take()
        if lines:
            await _write(send, b"".join(line.encoded for line in coalesce(lines)))
        elif listener.finished and listener.mark is not None:
            last = end(listener.mark.last_seq, listener.mark.status)
            await _write(send, last, more=False)
            return
        elif not await listener.wait(HEARTBEAT_S):
            await _write(send, HEARTBEAT)


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(STALLED_S):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def until_either(*works: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except TimeoutError:
        pass  # stalled: the connection ends without an end event, and the client resumes
    finally:
        for task in tasks:
            task.cancel()


def coalesce(lines: list[Line]) -> list[Line]:
    """Of several progress events of one item in a row, the last; everything else stays."""
    kept: list[Line] = []
    for line in lines:
        if kept and line.replaces(kept[-1]):
            kept[-1] = line
        else:
            kept.append(line)
    return kept
