"""Clients that are slow, silent or hostile, on real sockets."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dreamforge_site.front import connections
from dreamforge_site.front.bridge import Answer, Bridge
from dreamforge_site.front.router import Front
from tests.dreamforge_site.front.served import get, opened, read_all, served
from tests.dreamforge_site.front.test_front import Program, Whole

pytestmark = pytest.mark.pure
BIG = 30_000_000


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
    def answer(environ: dict[str, Any]) -> Whole:
        return Whole([b"x" * BIG if environ["PATH_INFO"] == "/big" else b"hello"])

    bridge = Bridge(Program(answer), threads=2)
    with served(Front(bridge, loopback_only=False, express=Quick())) as found:  # type: ignore[arg-type]
        yield found


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
