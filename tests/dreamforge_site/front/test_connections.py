"""Clients that are slow, silent or hostile, on real sockets."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from dreamforge_site.front import connections
from dreamforge_site.front.bridge import Answer, Bridge
from dreamforge_site.front.connections import Connection
from dreamforge_site.front.router import Front
from tests.dreamforge_site.front.test_front import Program, Whole
from tests.services.process import free_port

pytestmark = pytest.mark.pure
BIG = 30_000_000
WITHIN_S = 30


class Quick:
    """An express way for one path, with an answer of its own."""

    async def ask(self, scope: Any, _body: bytes) -> Answer | None:
        if scope["path"] != "/quick":
            return None
        answer = Answer()
        answer.status, answer.headers, answer.body = 202, [(b"content-length", b"5")], b"quick"
        return answer

    def close(self) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    found = free_port()

    def answer(environ: dict[str, Any]) -> Whole:
        return Whole([b"x" * BIG if environ["PATH_INFO"] == "/big" else b"hello"])

    config = uvicorn.Config(
        Front(Bridge(Program(answer), threads=2), loopback_only=False, express=Quick()),  # type: ignore[arg-type]
        host="127.0.0.1",
        port=found,
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
    yield found
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


def test_client_that_takes_nothing_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_S", 0.3)
    # Linux would let it go as well; elsewhere, and behind a proxy, it is ours to do.
    monkeypatch.setattr(connections, "_limit", lambda _socket: None)
    with opened(port) as client:
        client.sendall(get("/big"))
        client.recv(10)
        time.sleep(2)
        # What the kernel had taken still comes, and no more.
        assert len(read_all(client)) < BIG / 2


def test_slow_client_gets_everything(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_S", 0.3)
    with opened(port) as client:
        client.sendall(get("/big"))
        taken = 0
        while part := client.recv(2_000_000):
            taken += len(part)
            time.sleep(0.05)
    assert taken > BIG


def test_client_that_sends_nothing_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_WITHIN_S", 0.2)
    with opened(port) as client:
        assert client.recv(10) == b""


def test_headers_that_trickle_in_are_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_WITHIN_S", 0.3)
    with opened(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            trickle(client)


def trickle(client: socket.socket) -> None:
    for _ in range(1000):
        client.sendall(b"x")
        time.sleep(0.01)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"this is no request\r\n\r\n",
        get("/", "x-long: " + "y" * connections.HEADERS_LIMIT_BYTES + "\r\n"),
        get("/" + "z" * connections.HEADERS_LIMIT_BYTES),
    ],
    ids=["nonsense", "long-header", "long-path"],
)
def test_what_is_no_request_gets_the_envelope(port: int, request_bytes: bytes) -> None:
    with opened(port) as client:
        client.sendall(request_bytes)
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/json" in head
    assert json.loads(body)["code"] == "malformed_request"


def test_connection_is_used_again_for_the_next_request(port: int) -> None:
    with opened(port) as client:
        client.sendall(get("/", "") + get("/"))
        assert read_all(client).count(b"hello") == 2


def test_answers_in_one_piece_keep_their_order_and_the_connection(port: int) -> None:
    paths = ("/quick", "/small", "/quick")
    with opened(port) as client:
        client.sendall(b"".join(get(path, "") for path in paths) + get("/quick"))
        found = read_all(client)
    told = re.findall(rb"HTTP/1.1 (\d+)|(quick|hello)", found)
    assert [status or body for status, body in told] == [
        *(b"202", b"quick"),
        *(b"200", b"hello"),
        *(b"202", b"quick"),
        *(b"202", b"quick"),
    ]
    assert found.lower().count(b"\r\ndate: ") == 4
    assert b"connection: close" in found.rpartition(b"HTTP/1.1")[2].lower()
