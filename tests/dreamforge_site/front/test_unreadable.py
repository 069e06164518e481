"""Raw bytes against the running server: what cannot be read, what never ends, what trickles."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from dreamforge_site.front import connections
from dreamforge_site.front.connections import Connection
from tests.live import LiveSite

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def connection(live_site: LiveSite) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", live_site.port), timeout=30) as opened:
        yield opened


def everything(connection: socket.socket) -> bytes:
    """What the server says until it closes."""
    said = b""
    while part := connection.recv(65_536):
        said += part
    return said


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"X-Request-Id: a\x0bb\r\n\r\n",
        HEAD + b"X-Long: " + b"x" * (connections.HEADERS_LIMIT_BYTES + 1) + b"\r\n\r\n",
        b"GET /" + b"a" * (connections.HEADERS_LIMIT_BYTES + 1) + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nAccept: */*\r\n\r\n",
        HEAD + b"Host: other\r\n\r\n",
    ],
    ids=[
        "no http",
        "no ascii",
        "two lengths",
        "control character",
        "long header",
        "long path",
        "no host",
        "two hosts",
    ],
)
def test_unreadable_request_gets_the_envelope(connection: socket.socket, sent: bytes) -> None:
    connection.sendall(sent)
    head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    answer = json.loads(body)
    assert answer["code"] == "malformed_request"
    assert f"X-Request-Id: {answer['correlation_id']}".encode() in head


def test_an_old_client_needs_no_host(connection: socket.socket) -> None:
    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert everything(connection).startswith(b"HTTP/1.1 200 ")


def test_head_of_ordinary_size_is_answered(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"X-Long: " + b"x" * 30_000 + b"\r\nConnection: close\r\n\r\n")
    assert everything(connection).startswith(b"HTTP/1.1 200 ")


def test_header_without_end_loses_its_connection(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"X-Endless: ")
    with pytest.raises(ConnectionError):
        connection.sendall(b"x" * connections.HEADERS_LIMIT_BYTES * 1000)


def test_trailer_is_no_header(live_site: LiveSite, connection: socket.socket) -> None:
    """A proxy in front filters headers; what comes after the body it has not seen."""
    live_site_log = live_site.log()
    connection.sendall(
        b"GET /v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Request-Id: from-a-trailer\r\n\r\n"
    )
    said = everything(connection)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"from-a-trailer" not in said
    assert "from-a-trailer" not in live_site.log()[len(live_site_log) :]


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """An application that is never reached."""


@pytest.mark.pure
@pytest.mark.parametrize("begun", [b"", b"\r\n", HEAD])
def test_head_that_never_ends_loses_its_connection(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADERS_WITHIN_S", 0.05)

    async def story() -> bytes:
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(nobody, http=Connection, log_config=None)
        config.load()
        state = ServerState()
        server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(begun)
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        assert not state.connections
        return said

    assert asyncio.run(asyncio.wait_for(story(), 20)) == b""
