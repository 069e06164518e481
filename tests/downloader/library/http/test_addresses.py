"""Addresses: what is understood, what is refused, what people may see of them."""

from __future__ import annotations

import pytest

from downloader.library.errors import ProtocolViolation
from downloader.library.http import addresses, public_only

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://hub.test", "https://hub.test", "/"),
        ("https://HUB.test:443/a/b?c=d#e", "https://hub.test", "/a/b?c=d"),
        ("http://hub.test:8080/%2e", "http://hub.test:8080", "/%2e"),
        ("http://[::1]:80/x", "http://[::1]", "/x"),
        ("http://[0:0::1]:81/x", "http://[::1]:81", "/x"),
        ("https://bücher.test/ü?q=ü", "https://xn--bcher-kva.test", "/%C3%BC?q=%C3%BC"),
        ("http://localhost./", "http://localhost.", "/"),
    ],
)
def test_an_address_is_taken_apart(url: str, origin: str, target: str) -> None:
    address = addresses.parse(url)
    assert (str(address.origin), address.target) == (origin, target)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://hub.test/x",
        "//hub.test/x",
        "hub.test/x",
        "",
        "javascript:x",
        "http://",
        "http:///x",
        "http://user:canary@hub.test/",
        "http://canary@hub.test/",
        "http://hub.test:99999/",
        "http://hub.test:x/",
        "http://hub test/",
        "http://hub.test/a b",
        "http://hub.test/\r\nX: y",
        "http://hub.test/\0",
        "http://hub.test\\@evil.test/",
        "http://a..b%00/",
        "http://[::1/",
        "http://hub.test/" + "x" * 20_000,
    ],
)
def test_what_is_odd_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        addresses.parse(url)
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/c?d", "http://hub.test/c?d"),
        ("c", "http://hub.test/a/c"),
        ("?e", "http://hub.test/a/b?e"),
        ("//other.test/x", "http://other.test/x"),
        ("https://other.test", "https://other.test/"),
        ("/name with blanks", "http://hub.test/name%20with%20blanks"),
    ],
)
def test_a_redirect_may_be_relative(location: str, expected: str) -> None:
    base = addresses.parse("http://hub.test/a/b")
    assert str(addresses.join(base, location)) == expected


def test_people_do_not_see_the_query() -> None:
    assert addresses.parse("https://cdn.test/x?Signature=abc").shown == "https://cdn.test/x"


@pytest.mark.parametrize(
    ("ip", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("2001:0:0:0:0:0:80ff:fffe", False),
    ],
)
def test_only_the_open_internet_is_public(ip: str, allowed: bool) -> None:
    assert public_only("any.test", ip) is allowed
