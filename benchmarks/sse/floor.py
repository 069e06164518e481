"""The design to beat: every stream asks the database for itself, twice a second.

A plain ASGI program with a small pool of threads and connections; as lean as that design gets,
without Django, authentication or heartbeats.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

POLL_S = 0.5
THREADS = 8
URL = os.environ["DREAMFORGE_BENCH_DATABASE"]
TERMINAL = ("succeeded", "failed", "canceled")
QUERY = (
    "SELECT e.seq, e.code, e.payload, j.status FROM jobs_job j LEFT JOIN jobs_event e "
    "ON e.job_id = j.id AND e.seq > {mark} WHERE j.id = {mark} ORDER BY e.seq"
)

_pool = ThreadPoolExecutor(THREADS)
_local = threading.local()


def _connection() -> Any:
    if not hasattr(_local, "connection"):
        _local.connection = (
            sqlite3.connect(URL.removeprefix("sqlite:///"))
            if URL.startswith("sqlite")
            else psycopg.connect(URL, autocommit=True)
        )
    return _local.connection


def ask(job_id: str, after: int) -> list[Any]:
    if URL.startswith("sqlite"):
        query, key = QUERY.format(mark="?"), uuid.UUID(job_id).hex
    else:
        query, key = QUERY.format(mark="%s"), job_id
    found: list[Any] = _connection().execute(query, (after, key)).fetchall()
    return found


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]
) -> None:
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
    after, status = 0, ""
    while status not in TERMINAL:
        job_id = scope["path"].split("/")[3]
        rows = await asyncio.get_running_loop().run_in_executor(_pool, ask, job_id, after)
        said = [(seq, payload) for seq, _, payload, _ in rows if seq is not None]
        status = rows[0][3]
        for seq, payload in said:
            text = (
                payload if isinstance(payload, str) else f'{{"sent_ns":{payload.get("sent_ns")}}}'
            )
            event = f"id: {seq}\nevent: log\ndata: {text.replace(' ', '')}\n\n"
            await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
            after = seq
        await asyncio.sleep(POLL_S)
    end = f'id: {after + 1}\nevent: end\ndata: {{"status":"{status}"}}\n\n'
    await send({"type": "http.response.body", "body": end.encode()})
