"""The least work there is: read from one connection, hash, write. Nothing is asked twice, parsed,
resumed or written down.

    python -m benchmarks.download.limit http://127.0.0.1:PORT/ FOLDER SUMS
"""

from __future__ import annotations

import hashlib
import os
import queue
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

_BLOCK = 256 * 1024
_BLOCKS = 8

Blocks = queue.SimpleQueue[memoryview | None]


class Hash:
    """A thread that hashes what it is given, in order, and gives the buffers back."""

    def __init__(self, free: Blocks) -> None:
        self._digest = hashlib.sha256()
        self._free = free
        self.full: Blocks = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def value(self) -> str:
        self.full.put(None)
        self._thread.join()
        return self._digest.hexdigest()

    def _run(self) -> None:
        while (view := self.full.get()) is not None:
            self._digest.update(view)
            assert isinstance(view.obj, bytearray)
            self._free.put(memoryview(view.obj))


def large(client: socket.socket, length: int, target: Path) -> str:
    free: Blocks = queue.SimpleQueue()
    for _ in range(_BLOCKS):
        free.put(memoryview(bytearray(_BLOCK)))
    digest = Hash(free)
    with target.open("wb", buffering=0) as file:
        while length:
            view = free.get()
            assert view is not None
            got = client.recv_into(view[:length], 0, socket.MSG_WAITALL)
            file.write(view[:got])
            digest.full.put(view[:got])
            length -= got
    return digest.value()


def little(client: socket.socket, length: int, target: Path) -> str:
    data = bytearray(length)
    client.recv_into(data, 0, socket.MSG_WAITALL)
    target.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def fetch(client: socket.socket, path: str, target: Path) -> str:
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: limit\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return (little if length <= _BLOCK else large)(client, length, target)


def main(base: str, folder: str, sums: str) -> None:
    address = urlsplit(base)
    assert address.hostname
    assert address.port
    os.umask(0o077)
    with socket.create_connection((address.hostname, address.port)) as client:
        for line in Path(sums).read_text().splitlines():
            digest, name = line.split("  ")
            assert fetch(client, f"{address.path}{name}", Path(folder, name)) == digest


if __name__ == "__main__":
    main(*sys.argv[1:])
