"""A file server that costs as little as Python can make it: sendfile, a thread for each connection.

    python -m benchmarks.download.server FOLDER

prints its port. `/rate=25e6,latency=0.02/NAME` slows each connection down to so many bytes a second
and lets each answer wait so long; `/NAME` is served as fast as it goes. Ranges, keep-alive, strong
ETags. `/sent` tells the bytes of bodies handed to the kernel so far.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_RANGE = re.compile(rb"\r\n[Rr]ange: *bytes=(\d+)-(\d*)")
_SLICE_S = 0.02  # how often a slowed connection is served


@dataclass(frozen=True)
class Pace:
    rate: float = 0.0
    latency_s: float = 0.0


class Server:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._lock = threading.Lock()
        self._sent = 0

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def run(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, contextlib.suppress(OSError):
            while head := _head(client):
                self._answer(client, head)
                if b"\r\nconnection: close" in head.lower():
                    return

    def _answer(self, client: socket.socket, head: bytes) -> None:
        method, target, _ = head.split(b" ", 2)
        pace, name = _parse(target.decode("ascii"))
        if name == "sent":
            text = str(self._sent).encode()
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            return
        time.sleep(pace.latency_s)
        path = self._folder / name
        if "/" in name or not path.is_file():
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start, stop, line = _span(head, size)
            client.sendall(_answer_head(line, start, stop, size, name))
            if method == b"GET":
                self._send(client, file.fileno(), start, stop, pace)

    def _send(self, client: socket.socket, file: int, start: int, stop: int, pace: Pace) -> None:
        step = max(16_384, int(pace.rate * _SLICE_S)) if pace.rate else 1 << 24
        at, begun = start, time.monotonic()
        try:
            while at < stop:
                at += os.sendfile(client.fileno(), file, at, min(step, stop - at))
                if pace.rate:
                    wait = begun + (at - start) / pace.rate - time.monotonic()
                    time.sleep(max(0.0, wait))
        finally:
            with self._lock:
                self._sent += at - start


def _head(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(16_384)
        if not more:
            return b""
        data += more
    return data


def _parse(target: str) -> tuple[Pace, str]:
    *first, name = target.lstrip("/").split("/")
    words = dict(word.split("=") for word in first[0].split(",")) if first else {}
    return Pace(float(words.get("rate", 0)), float(words.get("latency", 0))), name


def _span(head: bytes, size: int) -> tuple[int, int, bytes]:
    asked = _RANGE.search(head)
    if not asked:
        return 0, size, b"200 OK"
    stop = min(size, int(asked[2]) + 1) if asked[2] else size
    return int(asked[1]), stop, b"206 Partial Content"


def _answer_head(line: bytes, start: int, stop: int, size: int, name: str) -> bytes:
    span = b"Content-Range: bytes %d-%d/%d\r\n" % (start, stop - 1, size)
    return (
        b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s" % (line, stop - start, span * (b"206" in line))
        + b'ETag: "%s-%d"\r\nAccept-Ranges: bytes\r\n' % (name.encode(), size)
        + b"Last-Modified: Mon, 06 Jan 2025 10:00:00 GMT\r\n"
        + b"Content-Type: application/octet-stream\r\n\r\n"
    )


if __name__ == "__main__":
    server = Server(Path(sys.argv[1]))
    print(server.port, flush=True)
    server.run()
