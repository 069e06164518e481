"""One POST, whatever the other side does."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from jobs.webhooks import guard, transport
from jobs.webhooks.errors import Undeliverable
from jobs.webhooks.transport import Answer
from tests import certificates
from tests.jobs.webhooks.conftest import Receive
from tests.jobs.webhooks.receiver import Reply

pytestmark = pytest.mark.pure

LOOPBACK = (ip_network("127.0.0.0/8"),)
Behaviour = Callable[[socket.socket, threading.Event], None]


def post(url: str) -> Answer:
    return transport.post(guard.check_form(url, LOOPBACK), {"X-Test": "1"}, b"{}", LOOPBACK)


class RawServer:
    """Accepts one connection and treats it as the test says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/"
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=[behaviour], daemon=True)
        self.thread.start()

    def _serve(self, behaviour: Behaviour) -> None:
        accepted, _ = self.listening.accept()
        with accepted:
            behaviour(accepted, self.over)

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        self.listening.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], RawServer]]:
    servers: list[RawServer] = []

    def start(behaviour: Behaviour) -> RawServer:
        servers.append(RawServer(behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def drip(accepted: socket.socket, over: threading.Event) -> None:
    """A byte now and then: no socket timeout ever comes."""
    accepted.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.05):
        try:
            accepted.sendall(b"x")
        except OSError:
            return


def silence(_: socket.socket, over: threading.Event) -> None:
    over.wait(60)


def hang_up(accepted: socket.socket, _: threading.Event) -> None:
    accepted.recv(10)


def nonsense(accepted: socket.socket, _: threading.Event) -> None:
    accepted.recv(65536)
    accepted.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def flood(accepted: socket.socket, over: threading.Event) -> None:
    accepted.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.is_set():
        try:
            accepted.sendall(b"x" * 65536)
        except OSError:
            return


def test_the_answer_is_given_with_the_beginning_of_its_body(receive: Receive) -> None:
    receiver = receive(lambda _: Reply(503, {"Retry-After": "7"}, b"y" * 10_000))
    answer = post(receiver.url)
    assert answer == Answer(503, "7", b"y" * transport.KEPT_BYTES)
    assert receiver.messages[0].headers["host"] == f"127.0.0.1:{receiver.port}"
    assert receiver.messages[0].headers["x-test"] == "1"
    assert receiver.messages[0].path == "/hook?token=of-the-receiver"


@pytest.mark.parametrize("behaviour", [drip, silence])
def test_no_receiver_keeps_us_longer_than_the_whole_may_take(
    behaviour: Behaviour,
    serve: Callable[[Behaviour], RawServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "TOTAL_TIMEOUT_S", 0.5)
    with pytest.raises(Undeliverable, match="too long"):
        post(serve(behaviour).url)


def test_a_body_without_end_is_not_read_to_its_end(
    serve: Callable[[Behaviour], RawServer],
) -> None:
    answer = post(serve(flood).url)
    assert (answer.status, len(answer.body)) == (200, transport.KEPT_BYTES)


@pytest.mark.parametrize("behaviour", [hang_up, nonsense])
def test_what_is_no_answer_is_told_as_such(
    behaviour: Behaviour, serve: Callable[[Behaviour], RawServer]
) -> None:
    with pytest.raises(Undeliverable, match="No answer"):
        post(serve(behaviour).url)


def test_a_closed_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Undeliverable, match="refused"):
        post(f"http://127.0.0.1:{port}/")


def test_a_redirect_is_an_answer_and_nobody_goes_there(receive: Receive) -> None:
    beyond = receive()
    receiver = receive(lambda _: Reply(302, {"Location": beyond.url}))
    assert post(receiver.url).status == 302
    assert beyond.connections == 0


def test_proxies_of_the_environment_are_not_asked(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, receiver = receive(), receive()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert post(receiver.url).status == 204
    assert proxy.connections == 0


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by nobody but itself; and its key."""
    return certificates.for_loopback(tmp_path)


def read_request(connection: socket.socket) -> None:
    """All of it: who closes with bytes unread resets the connection."""
    length = 0
    with connection.makefile("rb") as lines:
        while line := lines.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        lines.read(length)


def over_tls(certificate: Path, key: Path) -> Behaviour:
    def speak(accepted: socket.socket, _: threading.Event) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        try:
            with context.wrap_socket(accepted, server_side=True) as secured:
                read_request(secured)
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except ssl.SSLError:
            return  # the client did not like the certificate

    return speak


def test_a_certificate_nobody_vouches_for_is_refused(
    certificate: tuple[Path, Path], serve: Callable[[Behaviour], RawServer]
) -> None:
    server = serve(over_tls(*certificate))
    with pytest.raises(Undeliverable, match="certificate is not valid"):
        post(server.url.replace("http:", "https:"))


def test_https_reaches_a_receiver_whose_certificate_is_trusted(
    certificate: tuple[Path, Path],
    serve: Callable[[Behaviour], RawServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    transport._tls.cache_clear()
    try:
        server = serve(over_tls(*certificate))
        assert post(server.url.replace("http:", "https:")) == Answer(200, "", b"ok")
    finally:
        transport._tls.cache_clear()
