"""Where a webhook may go: case S3, in every spelling and through every trick."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from jobs.webhooks import guard, transport
from jobs.webhooks.errors import BadAddress, Undeliverable

pytestmark = pytest.mark.pure

FORBIDDEN = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00::1",
    "ff02::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:0:0:0:0:80ff:fffe",
    "2001:db8::1",
    "2600::5efe:10.0.0.1",
    "2600::200:5efe:127.0.0.1",
    "3fff::1",
    "5f00::1",
    "100::1",
]
FREE = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_no_private_or_reserved_address_is_called(text: str) -> None:
    assert not guard.may_call(ip_address(text), ())


@pytest.mark.parametrize("text", FREE)
def test_public_addresses_are_called(text: str) -> None:
    assert guard.may_call(ip_address(text), ())


def test_an_allowed_network_opens_itself_and_nothing_beside_it() -> None:
    allowed = [ip_network("10.1.0.0/16")]
    assert guard.may_call(ip_address("10.1.2.3"), allowed)
    assert guard.may_call(ip_address("::ffff:10.1.2.3"), allowed)
    assert not guard.may_call(ip_address("10.2.2.3"), allowed)
    assert not guard.may_call(ip_address("127.0.0.1"), allowed)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://0.0.0.0/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1:8080/",
        "http://[fd00::1]/",
        "http://[fe80::1%25eth0]/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.1/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://127.0.0.01/",
        "http://localhost/",
        "http://localhost./",
        "http://LOCALHOST:8000/",
        "http://api.localhost/",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:http/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "example.org",
        "http://",
        "http:///path",
        "http://exa mple.org/",
        "http://example.org/a\tb",
        "http://example.org/\r\nHost: other",
        "http://example.org\\@127.0.0.1/",
        "http://exämple.org/",
        "http://①②⑦.⓪.⓪.①/",
        "http://ex%61mple.org/",
        "http://example..org/",
        "http://-/" + "x" * 2000,
        "http://" + "a" * 254 + "/",
        "http://[::1/",
        "http://[v1.x]/",
        "",
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_at_the_door(url: str) -> None:
    with pytest.raises(BadAddress):
        guard.check_form(url, ())


@pytest.mark.parametrize(
    ("url", "key", "host", "path"),
    [
        ("https://Hooks.Example.org/a?b=c", "https://hooks.example.org:443", None, "/a?b=c"),
        ("http://example.org", "http://example.org:80", "example.org", "/"),
        ("http://example.org:8080/#x", "http://example.org:8080", "example.org:8080", "/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]:443", "[2606:4700::1111]", "/"),
        ("http://a/", "http://a:80", "a", "/"),
        ("http://1.1.1.1/", "http://1.1.1.1:80", "1.1.1.1", "/"),
    ],
)
def test_a_sound_address_becomes_a_target(url: str, key: str, host: str | None, path: str) -> None:
    target = guard.check_form(url, ())
    assert (target.key, target.path) == (key, path)
    assert target.host_header == (host or "hooks.example.org")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        yield listening


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name server that gives these answers, one a look-up; the names that were asked for."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = left.pop(0)
        return [_place(text, port) for text in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def _place(text: str, port: int) -> Any:
    if ":" in text:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (text, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))


@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]],
)
def test_a_name_that_leads_inside_is_never_connected_to(
    answer: list[str], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, answer)
    target = guard.check_form(f"http://rebound.example.org:{listener.getsockname()[1]}/", ())
    with pytest.raises(Undeliverable, match="private or reserved"):
        transport.post(target, {}, b"{}", ())
    with pytest.raises(TimeoutError):
        listener.accept()


def test_the_checked_address_is_used_and_the_name_not_looked_up_again(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that says something harmless first and something else a moment later."""
    asked = answering(monkeypatch, ["192.0.2.77"], ["127.0.0.1"])
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.2)
    allowed = [ip_network("192.0.2.0/24")]
    target = guard.check_form(f"http://rebound.example.org:{listener.getsockname()[1]}/", allowed)
    with pytest.raises(Undeliverable):
        transport.post(target, {}, b"{}", allowed)
    assert asked == ["rebound.example.org"]
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_name_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    target = guard.check_form("http://no-such-host.invalid/", ())
    with pytest.raises(Undeliverable, match="could not be looked up"):
        transport.post(target, {}, b"{}", ())
