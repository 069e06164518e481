"""A load of HTTP requests over kept connections, cheap enough to leave the CPUs to the server."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import uvloop

HEADER_END = b"\r\n\r\n"
LENGTH = b"content-length:"

MakeRequest = Callable[[int], bytes]


@dataclass
class Load:
    """What came of it."""

    took_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.latencies_ms) / self.took_s

    def percentile_ms(self, share: float) -> float:
        return percentile(self.latencies_ms, share)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def request(
    method: str, path: str, headers: dict[str, str] | None = None, body: object = None
) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    given = {"Host": "127.0.0.1", "Content-Length": str(len(content)), **(headers or {})}
    if body is not None:
        given["Content-Type"] = "application/json"
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + HEADER_END + content


def run(port: int, make: MakeRequest, connections: int, requests: int) -> Load:
    """Send `requests` requests as fast as `connections` connections take them."""
    return uvloop.run(_run(port, make, connections, requests))


async def _run(port: int, make: MakeRequest, connections: int, requests: int) -> Load:
    load, numbers = Load(), iter(range(requests))
    started = time.perf_counter()
    await asyncio.gather(*(_one(port, make, numbers, load) for _ in range(connections)))
    load.took_s = time.perf_counter() - started
    return load


async def _one(port: int, make: MakeRequest, numbers: Iterator[int], load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number in numbers:
            message = make(number)
            sent = time.perf_counter()
            writer.write(message)
            status = await _answer(reader)
            load.latencies_ms.append((time.perf_counter() - sent) * 1000)
            load.statuses[status] = load.statuses.get(status, 0) + 1
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(HEADER_END)
    at = head.lower().find(LENGTH)
    length = int(head[at + len(LENGTH) : head.index(b"\r", at)]) if at >= 0 else 0
    await reader.readexactly(length)
    return int(head[9:12])
