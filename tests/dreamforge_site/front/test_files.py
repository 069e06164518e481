"""Files that a view hands over, on real sockets."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dreamforge_site.front import connections, files, handoffs
from dreamforge_site.front.bridge import Bridge
from dreamforge_site.front.router import Front
from dreamforge_site.operations import metrics
from tests.dreamforge_site.front.served import WITHIN_S, get, opened, read_all, served
from tests.dreamforge_site.front.test_front import Environ, Program, Whole

pytestmark = pytest.mark.pure

DATA = os.urandom(1 << 20) * 24
KEEP = ""
Tickets = dict[str, dict[str, Any]]


class Handing(Program):
    """Hands over the ticket of a path, with the length it promises."""

    def __init__(self, tickets: Tickets) -> None:
        super().__init__()
        self.tickets = tickets

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Any:
        ticket = self.tickets[environ["PATH_INFO"]]
        headers = [("Content-Length", str(ticket["length"])), ("ETag", '"tag"')]
        start_response("200 OK", [*headers, ("X-Forge-Handoff", f"file {json.dumps(ticket)}")])
        return Whole([b""])


@pytest.fixture
def tickets() -> Tickets:
    return {}


@pytest.fixture
def file(tmp_path: Path, tickets: Tickets) -> Path:
    """Handed over whole, at `/whole`."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    tickets["/whole"] = ticket(path)
    return path


def ticket(path: Path, start: int = 0, length: int | None = None, **facts: Any) -> dict[str, Any]:
    size = path.stat().st_size
    return {
        "path": str(path),
        "start": start,
        "length": size - start if length is None else length,
        "size": size,
        "unfit": {"error": "not these bytes"},
        **facts,
    }


@pytest.fixture
def port(tickets: Tickets, settings: Settings) -> Iterator[int]:
    metrics.join()
    settings.HANDOFFS = {"file": "dreamforge_site.front.files.serve"}
    handoffs._handler.cache_clear()
    bridge = Bridge(Handing(tickets), threads=1)
    with served(Front(bridge, loopback_only=False)) as found:
        yield found
    handoffs._handler.cache_clear()


def fetched(port: int, path: str) -> tuple[bytes, bytes]:
    """Head and body, of a connection that ends afterwards."""
    with opened(port) as client:
        client.sendall(get(path))
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    return head, body


def read_answer(client: socket.socket, length: int) -> bytes:
    """The body, of a connection that stays."""
    found = bytearray()
    while b"\r\n\r\n" not in found:
        found += client.recv(100_000)
    body = bytearray(found.partition(b"\r\n\r\n")[2])
    while len(body) < length:
        body += client.recv(1_000_000)
    return bytes(body)


def read_until_broken(client: socket.socket) -> bytes:
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1_000_000):
            found += part
    return bytes(found)


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def open_on(path: Path) -> int:
    """How many descriptors of this process are of the file."""
    links = Path("/proc/self/fd").iterdir()
    return sum(link.exists() and link.samefile(path) for link in links)


@pytest.fixture(params=["by_kernel", "by_blocks"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by_blocks":
        monkeypatch.setattr(files, "_plain_socket", lambda _connection: None)


@pytest.mark.usefixtures("way")
def test_file_arrives_whole_and_the_connection_stays(port: int, file: Path) -> None:
    with opened(port) as client:
        client.sendall(get("/whole", KEEP))
        assert read_answer(client, len(DATA)) == DATA
        client.sendall(get("/whole", KEEP))
        assert read_answer(client, len(DATA)) == DATA


@pytest.mark.usefixtures("way")
def test_requests_sent_at_once_are_answered_in_order(
    port: int, file: Path, tickets: Tickets
) -> None:
    tickets["/part"] = ticket(file, 1_000_001, 3_000_000)
    with opened(port) as client:
        client.sendall(get("/part", KEEP) + get("/whole"))
        found = read_all(client)
    first, second = found.split(b"HTTP/1.1 200 OK")[1:]
    assert first.partition(b"\r\n\r\n")[2] == DATA[1_000_001:4_000_001]
    assert second.partition(b"\r\n\r\n")[2] == DATA


@pytest.mark.usefixtures("way")
def test_file_of_no_bytes_is_a_whole_answer(port: int, tmp_path: Path, tickets: Tickets) -> None:
    (tmp_path / "empty").touch()
    tickets["/empty"] = ticket(tmp_path / "empty")
    head, body = fetched(port, "/empty")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b""


@pytest.mark.usefixtures("way")
def test_slow_client_gets_everything(port: int, file: Path) -> None:
    with opened(port) as client:
        client.sendall(get("/whole"))
        taken = bytearray()
        while part := client.recv(3_000_000):
            taken += part
            time.sleep(0.01)
    assert bytes(taken).endswith(DATA)


@pytest.mark.usefixtures("way")
def test_client_that_takes_nothing_is_let_go(
    port: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "STALLED_S", 0.2)
    monkeypatch.setattr(connections, "STALLED_S", 0.2)
    with opened(port) as client:
        client.sendall(get("/whole"))
        wait_for(lambda: open_on(file) > 0)
        wait_for(lambda: open_on(file) == 0)
        assert len(read_until_broken(client)) < len(DATA)


@pytest.mark.usefixtures("way")
def test_client_that_leaves_costs_nothing_afterwards(port: int, file: Path) -> None:
    with opened(port) as client:
        client.sendall(get("/whole"))
        client.recv(10)
        wait_for(lambda: open_on(file) > 0)
    wait_for(lambda: open_on(file) == 0)
    assert fetched(port, "/whole")[1] == DATA


@pytest.mark.usefixtures("way")
def test_file_that_shrinks_under_way_is_a_short_answer(port: int, file: Path) -> None:
    with opened(port) as client:
        client.sendall(get("/whole"))
        first = client.recv(1000)
        os.truncate(file, len(DATA) - (1 << 20))
        rest = read_until_broken(client)
    body = (first + rest).partition(b"\r\n\r\n")[2]
    assert len(body) < len(DATA)
    assert DATA.startswith(body)


def test_file_of_another_size_is_refused_before_any_byte(
    port: int, file: Path, tickets: Tickets
) -> None:
    tickets["/whole"]["size"] += 1
    head, body = fetched(port, "/whole")
    assert head.startswith(b"HTTP/1.1 500")
    assert b"etag" not in head.lower()
    assert json.loads(body) == {"error": "not these bytes"}


def test_link_and_folder_and_nothing_are_refused(
    port: int, file: Path, tickets: Tickets, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    told = ticket(file)
    tickets["/link"] = {**told, "path": str(link)}
    tickets["/folder"] = {**told, "path": str(tmp_path)}
    tickets["/none"] = {**told, "path": str(tmp_path / "none")}
    heads = [fetched(port, path)[0] for path in ("/link", "/folder", "/none")]
    assert [head.partition(b"\r\n")[0] for head in heads] == [
        b"HTTP/1.1 500 Internal Server Error"
    ] * 3


def test_bytes_are_read_once_where_their_digest_is_asked_for(
    port: int, file: Path, tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    has_digest = files._has_digest

    def counted(number: int, sha256: str) -> bool:
        reads.append(number)
        return has_digest(number, sha256)

    monkeypatch.setattr(files, "_has_digest", counted)
    tickets["/whole"]["sha256"] = hashlib.sha256(DATA).hexdigest()
    assert fetched(port, "/whole")[1] == DATA
    assert fetched(port, "/whole")[1] == DATA
    assert len(reads) == 1


def test_other_bytes_of_the_same_size_are_refused(port: int, file: Path, tickets: Tickets) -> None:
    tickets["/whole"]["sha256"] = hashlib.sha256(DATA).hexdigest()
    with file.open("r+b") as opened_file:
        opened_file.seek(5_000_000)
        opened_file.write(b"rot")
    head, body = fetched(port, "/whole")
    assert head.startswith(b"HTTP/1.1 500")
    assert json.loads(body) == {"error": "not these bytes"}


def test_many_downloads_hold_no_thread_of_the_bridge(port: int, file: Path) -> None:
    """There is one: a ninth client is answered while eight take nothing."""
    waiting = [opened(port) for _ in range(8)]
    try:
        for client in waiting:
            client.sendall(get("/whole"))
            client.recv(10)
        assert fetched(port, "/whole")[1] == DATA
    finally:
        for client in waiting:
            client.close()
