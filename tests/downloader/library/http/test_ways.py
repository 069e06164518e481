"""Through proxies, and under TLS with an authority of one's own."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from downloader.library.errors import AccessNeeded, ProtocolViolation, Refused
from downloader.library.http import Broken, Client
from downloader.library.sources.base import Location, RemoteFile
from downloader.library.transfer import Engine, Target, TransferOptions
from downloader.library.watch import Control, Observer
from tests import certificates, hubs
from tests.downloader.library.http.conftest import OPTIONS
from tests.hubs.messages import redirect

pytestmark = pytest.mark.pure


class Proxy:
    """Passes requests and tunnels on; remembers the heads it saw."""

    def __init__(self, refusal: bytes = b"") -> None:
        self.heads: list[str] = []
        self._refusal = refusal
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.heads.append(head.decode())
        method, target, _ = head.split(b" ", 2)
        where = target if method == b"CONNECT" else urlsplit(target).netloc
        host, _, port = where.decode().rpartition(":")
        if self._refusal:
            client.sendall(self._refusal)
            client.close()
            return
        upstream = socket.create_connection((host, int(port)))
        if method == b"CONNECT":
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            upstream.sendall(head.replace(target, urlsplit(target).path, 1))
        threading.Thread(target=_pump, args=[client, upstream], daemon=True).start()
        _pump(upstream, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        target.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    return certificates.for_loopback(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure_hub(authority: tuple[Path, Path]) -> Iterator[hubs.Hub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    with hubs.running(tls=context) as hub:
        yield hub


def test_a_plain_request_goes_through_the_proxy(hub: hubs.Hub, proxy: Proxy) -> None:
    url = hub.web.add("/a", b"x" * 100_000)
    proxies = {"http": f"http://user:p%40ss@{proxy.address}"}
    with Client(replace(OPTIONS, proxies=proxies)) as client:
        assert len(client.get(Location(url)).body) == 100_000
    assert proxy.heads[0].startswith(f"GET {url} HTTP/1.1\r\n")
    basic = b64encode(b"user:p@ss").decode()
    assert f"Proxy-Authorization: Basic {basic}" in proxy.heads[0]


def test_the_environment_names_the_proxy_and_its_exceptions(
    hub: hubs.Hub, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = hub.web.add("/a", b"x")
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client(replace(OPTIONS, proxies=None)) as client:
        client.get(Location(url))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Client(replace(OPTIONS, proxies=None)) as client:
        client.get(Location(url))
    assert (len(proxy.heads), len(hub.requests)) == (1, 2)


def test_another_kind_of_proxy_is_refused_without_its_password(hub: hubs.Hub) -> None:
    proxies = {"all": "socks5://user:secret@127.0.0.1:1"}
    with Client(replace(OPTIONS, proxies=proxies)) as client, pytest.raises(Refused) as caught:
        client.get(Location(hub.web_origin))
    assert "secret" not in caught.value.message


def test_tls_goes_through_a_tunnel(
    secure_hub: hubs.Hub, proxy: Proxy, authority: tuple[Path, Path]
) -> None:
    url = secure_hub.web.add("/a", hubs.Generated(300_000))
    proxies = {"https": f"http://{proxy.address}"}
    with Client(replace(OPTIONS, proxies=proxies, ca_file=str(authority[0]))) as client:
        body = client.get(Location(url, authorization="Bearer canary")).body
    assert body == hubs.Generated(300_000).read()
    assert proxy.heads[0].startswith("CONNECT 127.0.0.1:")
    assert "canary" not in proxy.heads[0]


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", AccessNeeded),
        (b"HTTP/1.1 502 No\r\n\r\n", Broken),
        (b"no proxy\r\n\r\n", ProtocolViolation),
    ],
)
def test_a_proxy_that_refuses_is_named(
    secure_hub: hubs.Hub, refusal: bytes, error: type[Exception]
) -> None:
    proxy = Proxy(refusal)
    options = replace(OPTIONS, proxies={"https": f"http://{proxy.address}"}, attempts=1)
    with Client(options) as client, pytest.raises(error):
        client.get(Location(secure_hub.web_origin))
    proxy.stop()


@pytest.mark.parametrize("how", ["option", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_own_authority_is_trusted_when_named(
    secure_hub: hubs.Hub,
    authority: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    options = replace(OPTIONS, ca_file=str(authority[0]) if how == "option" else None)
    if how != "option":
        monkeypatch.setenv(how, str(authority[0]))
    url = secure_hub.web.add("/a", hubs.Generated(1 << 20))
    with Client(options) as client:
        assert client.get(Location(url)).body == hubs.Generated(1 << 20).read()
        assert client.get(Location(url)).status == 200
    assert {entry.connection for entry in secure_hub.requests} == {1}


def test_a_stranger_is_not_trusted_and_the_message_says_what_to_do(secure_hub: hubs.Hub) -> None:
    url = secure_hub.web.add("/a", b"x")
    with Client(OPTIONS) as client, pytest.raises(Refused, match="SSL_CERT_FILE"):
        client.get(Location(url))
    assert len(secure_hub.requests) == 0


def test_nobody_is_led_from_https_to_http(
    secure_hub: hubs.Hub, authority: tuple[Path, Path]
) -> None:
    url = secure_hub.web.on("/a", lambda _: redirect(302, "http://cdn.invalid/x"))
    with (
        Client(replace(OPTIONS, ca_file=str(authority[0]))) as client,
        pytest.raises(ProtocolViolation, match="https to http"),
    ):
        client.get(Location(url))


def test_a_large_file_comes_over_tls_in_ranges(
    secure_hub: hubs.Hub, authority: tuple[Path, Path], tmp_path: Path
) -> None:
    size = 3 << 20
    content = hubs.Generated(size)
    url = secure_hub.web.add("/large", content)
    file = RemoteFile("large", "large", size)
    options = TransferOptions(connections=4, first_connections=4, segment_bytes=1 << 20)
    with Client(replace(OPTIONS, ca_file=str(authority[0]))) as client:
        fetched = Engine(client, options).fetch(
            {"large": (file, Target(tmp_path / "large.part"))},
            lambda _file: Location(url),
            Control(),
            Observer(),
        )["large"]
    assert fetched.part.read_bytes() == content.read()
    assert len(secure_hub.requests) > 1
