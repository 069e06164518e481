"""A client of event streams: a raw socket, so that a test may cut, stall or reset it."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

EVENT = re.compile(rb"id: (\d+)\nevent: (\w+)\ndata: ([^\n]*)\n\n")
HEAD_END = b"\r\n\r\n"
WITHIN_S = 30.0
T = TypeVar("T")


@dataclass
class Stream:
    """What came over one connection. An event counts once it is whole, as in a browser."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    raw: bytes = b""
    head: bytes = b""
    closed: bool = field(default=False)

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def events(self) -> list[tuple[int, str, bytes]]:
        return [(int(seq), name.decode(), data) for seq, name, data in EVENT.findall(self.raw)]

    @property
    def ids(self) -> list[int]:
        return [seq for seq, name, _ in self.events if name != "end"]

    @property
    def ended(self) -> bool:
        return any(name == "end" for _, name, _ in self.events)

    async def read(self, at_most: int = 65_536) -> bytes:
        async with asyncio.timeout(WITHIN_S):
            part = await self.reader.read(at_most)
        self.raw += part
        self.closed = not part
        return part

    async def read_to_the_end(self) -> Stream:
        """Until the server has nothing more to say or closes; what was read stays."""
        while not self.closed and not self.ended:
            await self.read()
        return self

    async def read_until(self, text: bytes) -> Stream:
        while text not in self.raw and not self.closed:
            await self.read()
        assert text in self.raw
        return self

    async def read_bytes(self, count: int) -> Stream:
        """No more than `count` bytes: a connection that is cut anywhere."""
        while not self.closed and not self.ended and len(self.raw) < count:
            await self.read(count - len(self.raw))
        return self

    def reset(self) -> None:
        """RST: no goodbye."""
        transport_socket = self.writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        transport_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


async def request(
    port: int, path: str, *, method: str = "GET", after: int | str | None = None, extra: str = ""
) -> Stream:
    """Send a request and read the answer's head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    resume = f"last-event-id: {after}\r\n" if after is not None else ""
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{resume}{extra}\r\n"
    writer.write(head.encode())
    stream = Stream(reader, writer)
    _opened.append(stream)
    try:
        async with asyncio.timeout(WITHIN_S):
            stream.head = await reader.readuntil(HEAD_END)
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    return stream


_opened: list[Stream] = []


def run(story: Coroutine[Any, Any, T]) -> T:
    """A story from its beginning to its end, after which no connection is left."""

    async def whole() -> T:
        try:
            return await story
        finally:
            for stream in _opened:
                stream.writer.transport.abort()
            await asyncio.sleep(0)
            _opened.clear()

    return asyncio.run(whole())


def path_of(job_id: object) -> str:
    return f"/v1/jobs/{job_id}/progress/stream"
