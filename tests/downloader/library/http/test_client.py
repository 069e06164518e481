"""The client against a server that misbehaves: redirects, secrets, keep-alive, retries, guards."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from downloader.library.errors import Canceled, ProtocolViolation, Refused, Throttled
from downloader.library.http import Broken, Client, StatusError, public_only
from downloader.library.sources.base import Location
from downloader.library.watch import Control
from tests import hubs
from tests.downloader.library.http.conftest import OPTIONS
from tests.hubs import faults
from tests.hubs.messages import Request, Response, as_json, redirect, text

pytestmark = pytest.mark.pure

SECRET = "Bearer hf_canary_of_the_tests"


def whole(client: Client, url: str) -> bytes:
    return client.get(Location(url)).body


# Answers


def test_json_comes_as_values(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.add("/a.json", '{"a": [1]}')
    assert client.json(Location(url)) == {"a": [1]}


def test_another_status_is_an_error_with_everything_in_it(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.on("/a", lambda _: as_json({"error": "gated"}, 403, x_error_code="GatedRepo"))
    with pytest.raises(StatusError) as caught:
        client.json(Location(url))
    assert (caught.value.status, caught.value.transient) == (403, False)
    assert caught.value.headers["X-Error-Code"] == "GatedRepo"
    assert b"gated" in caught.value.body


@pytest.mark.parametrize(
    "body", ["<html>", "{", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_json_is_a_clear_error(hub: hubs.Hub, client: Client, body: str) -> None:
    url = hub.web.add("/a.json", body)
    with pytest.raises(ProtocolViolation, match="JSON"):
        client.json(Location(url))


def test_an_answer_above_the_limit_is_cut_off(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.add("/a", hubs.Generated(1 << 26))
    with pytest.raises(ProtocolViolation, match="more than 1000 bytes"):
        client.get(Location(url), limit=1000)
    assert hub.bytes_sent() < 1 << 25


def test_a_bomb_is_cut_off_at_the_limit(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.add("/a", b"\0" * (1 << 26))
    hub.faults.add(faults.Gzip())
    with pytest.raises(ProtocolViolation, match="more than"):
        client.get(Location(url), limit=1 << 20)


@pytest.mark.parametrize("fault", [faults.Chunked(), faults.NoLength(), faults.Gzip()], ids=repr)
def test_a_body_comes_whole_however_it_is_framed(
    hub: hubs.Hub, client: Client, fault: faults.Fault
) -> None:
    content = hubs.Generated(300_000)
    url = hub.web.add("/a", content)
    hub.faults.add(fault)
    assert whole(client, url) == content.read()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"x\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello",
        b"-1\r\n",
        b"5 5\r\nhello",
        b"fffffffffffffffff\r\n",
        b"5;" + b"x" * 9000,
        b"0\r\n" + b"X: y\r\n" * 200,
    ],
    ids=repr,
)
def test_damaged_chunks_are_refused(hub: hubs.Hub, client: Client, body: bytes) -> None:
    url = hub.web.on("/a", lambda _: Response(raw=CHUNKED + body))
    with pytest.raises(ProtocolViolation):
        whole(client, url)


def test_interim_answers_are_passed_over(hub: hubs.Hub, client: Client) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    url = hub.web.on("/a", lambda _: Response(raw=interim + interim + final))
    assert whole(client, url) == b"ok"


def test_nobody_is_asked_to_compress(hub: hubs.Hub, client: Client) -> None:
    whole(client, hub.web.add("/a", b"x"))
    headers = hub.requests[0].headers
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("dreamforge/")


# Connections


def test_one_connection_serves_many_requests(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.add("/a", b"x" * 1000)
    for _ in range(5):
        whole(client, url)
    assert {entry.connection for entry in hub.requests} == {1}


def test_a_connection_that_was_closed_while_idle_is_no_failure(
    hub: hubs.Hub, client: Client
) -> None:
    url = hub.web.add("/a", b"x")
    hub.faults.add(faults.SilentClose())
    client = Client(replace(OPTIONS, attempts=1))
    assert [whole(client, url) for _ in range(4)] == [b"x"] * 4
    client.close()


def test_bytes_nobody_asked_for_end_a_connection(hub: hubs.Hub, client: Client) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"
    answers = [good + smuggled, good]
    url = hub.web.on("/a", lambda _: Response(raw=answers.pop(0)))
    assert [whole(client, url), whole(client, url)] == [b"right", b"right"]


# Redirects


def test_a_secret_stays_with_the_origin_it_was_given_for(hub: hubs.Hub, client: Client) -> None:
    end = hub.web.add("/end", b"x")
    there = hub.web.on("/there", lambda _: redirect(302, f"{hub.endpoint}/api/back"))
    hub.faults.add(faults.RedirectTo(there), path="/api/start", origin="huggingface")
    hub.faults.add(faults.RedirectTo(end), path="/api/back", origin="huggingface")
    location = Location(f"{hub.endpoint}/api/start", {"X-More": "goes along"}, SECRET)
    assert client.get(location).body == b"x"
    seen = [(entry.path, entry.headers.get("authorization")) for entry in hub.requests]
    assert seen == [("/api/start", SECRET), ("/there", None), ("/api/back", None), ("/end", None)]
    assert [entry.headers.get("x-more") for entry in hub.requests] == ["goes along"] * 4


def test_a_redirect_on_the_same_origin_keeps_the_secret(hub: hubs.Hub, client: Client) -> None:
    hub.web.add("/new", b"x")
    url = hub.web.on("/old", lambda _: redirect(307, "/new"))
    client.get(Location(url, authorization=SECRET))
    assert [entry.headers.get("authorization") for entry in hub.requests] == [SECRET, SECRET]


@pytest.mark.parametrize(
    "to",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "data:text/plain,x",
        "http://user:pass@127.0.0.1/",
        "http://127.0.0.1:0x/",
        "/a",
    ],
)
def test_a_redirect_out_of_the_web_or_in_circles_is_refused(
    hub: hubs.Hub, client: Client, to: str
) -> None:
    url = hub.web.on("/a", lambda _: redirect(302, to))
    with pytest.raises(ProtocolViolation):
        whole(client, url)


def test_more_than_ten_redirects_are_too_many(hub: hubs.Hub, client: Client) -> None:
    def on(request: Request) -> Response:
        return redirect(302, f"/a?{int(request.query('n', '0')) + 1}")

    url = hub.web.on("/a", on)
    hub.faults.add(faults.RedirectLoop(), path="/a")
    with pytest.raises(ProtocolViolation, match="10"):
        whole(client, url)
    assert len(hub.requests) == 11


def test_the_hops_hold_the_headers_on_the_way(hub: hubs.Hub, client: Client) -> None:
    end = hub.web.add("/end", b"x")
    url = hub.web.on("/a", lambda _: redirect(302, end, x_linked_etag='"abc"'))
    response = client.open(Location(url))
    response.drain()
    assert [hop.headers["x-linked-etag"] for hop in response.hops] == ['"abc"']
    assert response.url == end


def test_a_redirect_without_a_location_is_the_answer(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.on("/a", lambda _: text("", 304))
    assert client.get(Location(url)).status == 304


def test_a_header_cannot_be_smuggled_in(hub: hubs.Hub, client: Client) -> None:
    with pytest.raises(ProtocolViolation):
        client.open(Location(hub.web_origin, {"X": "a\r\nY: b"}))
    assert len(hub.requests) == 0


# Trying again


@pytest.mark.parametrize(
    "fault",
    [faults.Status(500), faults.Status(503), faults.TooManyRequests(1), faults.Raw(b"")],
    ids=repr,
)
def test_what_may_pass_is_tried_again(hub: hubs.Hub, client: Client, fault: faults.Fault) -> None:
    url = hub.web.add("/a", b"x")
    hub.faults.add(fault, times=2)
    assert whole(client, url) == b"x"
    assert len(hub.requests) == 3


def test_a_truncated_answer_is_tried_again(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.add("/a", b"x" * 100_000)
    hub.faults.add(faults.Truncated(at=70_000), times=1)
    assert len(whole(client, url)) == 100_000


def test_a_server_that_stays_broken_is_given_up(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.add("/a", b"x")
    hub.faults.add(faults.Status(503))
    assert client.get(Location(url)).status == 503
    assert len(hub.requests) == OPTIONS.attempts


def test_a_wait_beyond_patience_says_so_at_once(hub: hubs.Hub, client: Client) -> None:
    url = hub.web.add("/a?secret=1", b"x")
    hub.faults.add(faults.TooManyRequests(3600))
    begun = time.monotonic()
    with pytest.raises(Throttled) as caught:
        client.get(Location(url))
    assert (caught.value.retry_after_s, caught.value.transient) == (3600, True)
    assert "3600 s" in caught.value.message
    assert time.monotonic() - begun < 1


def test_nobody_listening_is_a_clear_error(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Broken, match=f"127.0.0.1:{port}: Connection refused"):
        client.get(Location(f"http://127.0.0.1:{port}/"))


def test_an_unknown_name_is_a_clear_error(client: Client) -> None:
    with pytest.raises(Broken, match="cannot be resolved"):
        client.get(Location("http://nobody.invalid/"))


def test_a_cancel_interrupts_a_wait(hub: hubs.Hub) -> None:
    url = hub.web.add("/a", b"x")
    hub.faults.add(faults.Stall())
    control = Control()
    threading.Timer(0.2, control.cancel).start()
    begun = time.monotonic()
    with Client(replace(OPTIONS, read_timeout_s=30)) as patient, pytest.raises(Canceled):
        patient.get(Location(url), control=control)
    assert time.monotonic() - begun < 1.2


# The guard


def counted(sock: socket.socket) -> list[int]:
    """Connections that arrive at a listener, counted until it is closed."""
    arrived: list[int] = []

    def accept() -> None:
        while True:
            try:
                sock.accept()[0].close()
            except OSError:
                return
            arrived.append(1)

    threading.Thread(target=accept, daemon=True).start()
    return arrived


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "2130706433",
        "0177.1",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
    ],
)
def test_a_guarded_client_does_not_even_connect_inside(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arrived = counted(listener)
        guarded = Client(replace(OPTIONS, guard=public_only))
        with pytest.raises((Refused, Broken), match=r"not allowed|cannot be resolved"):
            guarded.get(Location(f"http://{host}:{listener.getsockname()[1]}/"))
        listener.shutdown(socket.SHUT_RDWR)
    assert arrived == []


def test_a_guarded_client_does_not_follow_a_redirect_inside(hub: hubs.Hub) -> None:
    inside = hub.web.add("/secret", b"x")
    url = hub.web.on("/a", lambda _: redirect(302, inside.replace("127.0.0.1", "127.0.0.2")))
    asked: list[str] = []

    def guard(host: str, ip: str) -> bool:
        asked.append(ip)
        return ip == "127.0.0.1"

    with Client(replace(OPTIONS, guard=guard)) as guarded, pytest.raises(Refused):
        guarded.get(Location(url))
    assert asked == ["127.0.0.1", "127.0.0.2"]
