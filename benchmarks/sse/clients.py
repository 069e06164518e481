"""Many clients of event streams in one cheap process: raw sockets, no HTTP library.

Reads one JSON line with the job's paths, opens `count` streams, says "open" when every one has
answered, and after the last end event prints what it saw.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field
from functools import partial

import uvloop

EVENT = re.compile(rb"id: (\d+)\nevent: (\w+)\ndata: ([^\n]*)\n\n")
SENT = re.compile(rb'"sent_ns":(\d+)')
CONNECTS_AT_ONCE = 50


@dataclass
class Seen:
    delays_ms: list[float] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    ended: int = 0
    dropped: int = 0


class Client(asyncio.Protocol):
    def __init__(self, request: bytes, seen: Seen) -> None:
        self._request = request
        self._seen = seen
        self._rest = b""
        self._last = 0
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.write(self._request)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        if not self.opened.done():
            self.opened.set_result(None)
        self._rest += data
        done = 0
        for found in EVENT.finditer(self._rest):
            done = found.end()
            self._event(int(found[1]), found[2], found[3], now_ns)
        self._rest = self._rest[done:]

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(None)
        if not self.closed.done():
            self._seen.dropped += 1
            self.closed.set_result(None)

    def _event(self, seq: int, name: bytes, data: bytes, now_ns: int) -> None:
        if name == b"end":
            self._seen.ended += 1
            self.closed.set_result(None)
            self._transport.abort()
            return
        self._seen.lost += max(0, seq - self._last - 1)
        self._seen.doubled += seq <= self._last
        self._last = seq
        sent = SENT.search(data)
        if sent:
            self._seen.delays_ms.append((now_ns - int(sent[1])) / 1e6)


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n".encode()


async def watch(port: int, paths: list[str], count: int) -> Seen:
    seen = Seen()
    loop = asyncio.get_running_loop()
    clients = []
    for number in range(count):
        make = partial(Client, request(paths[number % len(paths)]), seen)
        _, client = await loop.create_connection(make, "127.0.0.1", port)
        clients.append(client)
        if number % CONNECTS_AT_ONCE == 0:
            await asyncio.wait([client.opened for client in clients])
    await asyncio.wait([client.opened for client in clients])
    print("open", flush=True)
    await asyncio.wait([client.closed for client in clients])
    return seen


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    seen = uvloop.run(watch(wanted["port"], wanted["paths"], wanted["count"]))
    print(json.dumps(vars(seen)), flush=True)


if __name__ == "__main__":
    main()
