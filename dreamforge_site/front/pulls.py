"""A request that is asked again when a job is over. A coroutine; no thread waits."""

from __future__ import annotations

import asyncio
import uuid

from dreamforge_site.front import handoffs
from dreamforge_site.front.bridge import Answer
from dreamforge_site.front.handoffs import REPLACED_HEADERS, Exchange, Ticket
from jobs.watching.listeners import Watcher
from jobs.watching.streams import watching

REQUEST_ID = b"x-request-id"


async def serve(ticket: Ticket, answer: Answer, exchange: Exchange) -> None:
    """`ticket`: job_id, seconds, and the header that tells the view that its client has waited. The
    second answer may hand over to another handler."""
    watcher = Watcher(uuid.UUID(ticket["job_id"]))
    async with watching(watcher, exchange):
        await _until_over(watcher, float(ticket["seconds"]))
    if watcher.stopped and not exchange.closing:
        return  # nobody is left to answer
    mark = ticket["header"].encode("ascii")
    marks = [
        (mark, ticket["job_id"].encode("ascii")),
        (REQUEST_ID, dict(answer.headers).get(REQUEST_ID, b"")),
    ]
    # Two marks would be read as none, and the next job would be waited for, and so on.
    replaced = (*REPLACED_HEADERS, mark)
    sent = [(n, v) for n, v in exchange.scope["headers"] if n not in replaced]
    again = {**exchange.scope, "headers": [*sent, *marks]}
    shown = await exchange.bridge.ask(again, b"", admitted=True)
    next_one = handoffs.find(shown)
    if next_one is None:
        await exchange.give(shown)
    else:
        await handoffs.serve(
            next_one, exchange.scope, exchange.receive, exchange.send, exchange.bridge
        )


async def _until_over(watcher: Watcher, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not (watcher.over or watcher.stopped):
                await watcher.wait()
    except TimeoutError:
        pass  # the job goes on; the view says so
