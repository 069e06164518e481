"""An answer held back until its job is done or the time is up. A coroutine; no thread waits."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from jobs.watching.exchange import Answer, Exchange
from jobs.watching.listeners import Watcher
from jobs.watching.streams import watching

DONE = 200
JSON = b"application/json"


async def serve(ticket: dict[str, Any], answer: Answer, exchange: Exchange) -> None:
    """`ticket`: job_id, seconds, the path that shows the job, and the key to show it under."""
    watcher = Watcher(uuid.UUID(ticket["job_id"]))
    async with watching(watcher, exchange):
        await _until_over(watcher, float(ticket["seconds"]))
    if watcher.stopped and not exchange.closing:
        return  # nobody is left to answer
    shown = await exchange.ask(ticket["path"], dict(answer.headers)[b"x-request-id"])
    if shown.status == DONE:
        _keep_promises(shown, answer, ticket, done=watcher.over)
    elif ticket.get("wrap"):
        # Who made a job and may not see it (a key can be that narrow) is told that it was made.
        shown = answer
    await exchange.give(shown)


async def _until_over(watcher: Watcher, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not (watcher.over or watcher.stopped):
                await watcher.wait()
    except TimeoutError:
        pass  # the job goes on; the answer says how far it is


def _keep_promises(shown: Answer, answer: Answer, ticket: dict[str, Any], *, done: bool) -> None:
    """The first answer's headers (Location, Preference-Applied…) and its shape."""
    have = {name for name, _ in shown.headers} | {b"content-length", b"content-type"}
    shown.headers += [(name, value) for name, value in answer.headers if name not in have]
    if ticket.get("wrap") and dict(shown.headers)[b"content-type"].startswith(JSON):
        shown.body = b'{"%s":%s}' % (ticket["wrap"].encode("ascii"), shown.body or b"null")
        shown.headers = [(n, v) for n, v in shown.headers if n != b"content-length"]
        shown.headers.append((b"content-length", str(len(shown.body)).encode("ascii")))
    if not done:
        shown.status = answer.status
