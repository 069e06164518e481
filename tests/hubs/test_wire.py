"""The server under the hubs is a decent HTTP server as long as no fault is on."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import certificates, hubs
from tests.hubs import Generated, Hub, faults
from tests.hubs.asking import ask, connect, on
from tests.hubs.messages import Request, Response

pytestmark = pytest.mark.pure

DATA = bytes(range(100))


@pytest.fixture
def url(hub: Hub) -> str:
    return hub.web.add("/data.bin", DATA)


@pytest.mark.parametrize(
    ("asked", "span", "body"),
    [
        ("bytes=0-9", "bytes 0-9/100", DATA[:10]),
        ("bytes=90-", "bytes 90-99/100", DATA[90:]),
        ("bytes=-5", "bytes 95-99/100", DATA[95:]),
        ("bytes=-500", "bytes 0-99/100", DATA),
        ("bytes=98-5000", "bytes 98-99/100", DATA[98:]),
    ],
)
def test_a_range_is_answered_with_exactly_these_bytes(
    url: str, asked: str, span: str, body: bytes
) -> None:
    answered = ask(url, range=asked)
    assert answered.status == 206
    assert answered.headers["content-range"] == span
    assert answered.headers["content-length"] == str(len(body))
    assert answered.body == body


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_is_416_with_the_size(url: str, asked: str) -> None:
    answered = ask(url, range=asked)
    assert answered.status == 416
    assert answered.headers["content-range"] == "bytes */100"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=-"])
def test_a_range_that_makes_no_sense_gets_the_whole_file(url: str, asked: str) -> None:
    answered = ask(url, range=asked)
    assert (answered.status, answered.body) == (200, DATA)


def test_a_range_of_another_version_gets_the_whole_file(url: str) -> None:
    etag = ask(url).headers["etag"]
    assert ask(url, range="bytes=1-2", if_range=etag).status == 206
    assert ask(url, range="bytes=1-2", if_range='"another"').body == DATA


def test_an_etag_that_is_known_is_304_without_a_body(url: str) -> None:
    etag = ask(url).headers["etag"]
    answered = ask(url, if_none_match=etag)
    assert (answered.status, answered.body) == (304, b"")


def test_head_has_the_headers_of_get_and_no_body(url: str) -> None:
    head, get = ask(url, "HEAD"), ask(url)
    assert head.body == b""
    assert head.headers["content-length"] == get.headers["content-length"] == "100"
    assert head.headers["etag"] == get.headers["etag"]


def test_a_connection_serves_many_requests(hub: Hub, url: str) -> None:
    connection = connect(hub.web_origin)
    bodies = [on(connection, url, range=f"bytes={n}-{n}").body for n in range(20)]
    connection.close()
    assert bodies == [DATA[n : n + 1] for n in range(20)]
    assert {entry.connection for entry in hub.requests} == {1}


def test_many_ranges_at_once_make_up_the_file(hub: Hub) -> None:
    content = Generated(20_000_000)
    url = hub.web.add("/big.bin", content)
    step = 1_000_000
    starts = range(0, content.size, step)
    with ThreadPoolExecutor(20) as pool:
        parts = list(pool.map(lambda s: ask(url, range=f"bytes={s}-{s + step - 1}").body, starts))
    assert b"".join(parts) == content.read()
    assert hub.bytes_sent("big.bin") == content.size


def test_a_file_on_disk_is_served_like_any_other(hub: Hub, tmp_path: Path) -> None:
    content = Generated(5_000_000)
    path = tmp_path / "file"
    path.write_bytes(content.read())
    url = hub.web.add("/file", path)
    assert ask(url).body == content.read()
    assert ask(url, range="bytes=1000-4000000").body == content.read(1000, 4000001)


def test_the_log_names_who_asked_what(hub: Hub, url: str) -> None:
    ask(url, range="bytes=0-9", x_word="a")
    (entry,) = hub.requests.of("data.*", origin="web", method="GET")
    assert (entry.path, entry.range) == ("/data.bin", "bytes=0-9")
    assert (entry.status, entry.sent) == (206, 10)
    assert entry.headers["x-word"] == "a"


def test_the_end_of_a_hub_wakes_whoever_it_kept_waiting() -> None:
    with hubs.running() as hub:
        hub.web.add("/data.bin", DATA)
        hub.faults.add(faults.Stall(at=10))
        connection = connect(hub.web_origin)
        connection.request("GET", "/data.bin")
        response = connection.getresponse()
        assert response.read(10) == DATA[:10]
    response.close()
    connection.close()
    assert hub.connections("web") == 0
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("hub-")]


def test_an_origin_that_is_unplugged_refuses_until_it_is_plugged_in_again(
    hub: Hub, url: str
) -> None:
    kept = connect(hub.web_origin)
    assert on(kept, url).status == 200
    hub.unplug("web")
    with pytest.raises(ConnectionError):
        on(kept, url)
    kept.close()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            ask(url)
    assert ask(hub.endpoint).status == 404
    hub.plug("web")
    assert ask(url).body == DATA
    hub.unplug()
    with pytest.raises(ConnectionRefusedError):
        ask(hub.endpoint)


def test_a_mistake_of_the_fake_itself_fails_the_test() -> None:
    def broken(_request: Request) -> Response:
        raise LookupError("a mistake")

    with pytest.raises(ExceptionGroup, match="fake hub failed"), hubs.running() as hub:
        assert ask(hub.web.on("/broken", broken)).status == 500


def test_a_head_without_end_is_dropped(hub: Hub) -> None:
    port = int(hub.web_origin.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + b"x" * 100_000)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_it_speaks_tls_with_a_certificate_of_the_tests(tmp_path: Path) -> None:
    certificate, key = certificates.for_loopback(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    with hubs.running(tls=server) as hub:
        url = hub.web.add("/data.bin", Generated(3_000_000))
        assert url.startswith("https://")
        client = ssl.create_default_context(cafile=certificate)
        with urllib.request.urlopen(url, context=client) as response:
            assert response.read() == Generated(3_000_000).read()
