"""The front on a real socket, and what a client says to it and reads of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from dreamforge_site.front.connections import Connection
from dreamforge_site.front.router import Front
from tests.services.process import free_port

WITHIN_S = 30


@contextmanager
def served(front: Front) -> Iterator[int]:
    """The port where it answers."""
    port = free_port()
    config = uvicorn.Config(
        front,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http=Connection,
        ws="none",
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)


def read_all(client: socket.socket) -> bytes:
    found = bytearray()
    while part := client.recv(1_000_000):
        found += part
    return bytes(found)


def get(path: str, headers: str = "connection: close\r\n") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n".encode()
