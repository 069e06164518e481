"""Where a webhook may go: the form of its URL, and the addresses its name leads to.

A name is looked up once, every address it has is checked, and `transport` connects to just these:
a name that answers differently a moment later gains nothing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any
from urllib.parse import SplitResult, urlsplit

from jobs.webhooks.errors import BadAddress, Undeliverable
from jobs.webhooks.models import TARGET_LENGTH, URL_LENGTH

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = {"http": 80, "https": 443}
LABEL = r"[a-z0-9_][a-z0-9_-]{0,62}"
NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{LABEL}\.)*{LABEL}\.?")
# What other programs read as a number: 2130706433, 0177.1, 0x7f.1
NUMERIC_END = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?\Z")
VISIBLE = re.compile(r"[\x21-\x5b\x5d-\x7e]+")  # no space, no control, no backslash, ASCII

GLOBAL_V6 = (ip_network("2000::/3"), ip_network("64:ff9b::/96"))
# Global by their number, and yet not somebody's public server.
NEVER_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "224.0.0.0/3",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
)
NAT64 = ip_network("64:ff9b::/96")
ISATAP = (0x00005EFE, 0x02005EFE)
EMBEDDED_V4 = 0xFFFFFFFF


@dataclass(frozen=True)
class Target:
    """A URL that has the form of one we may call."""

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @property
    def key(self) -> str:
        return f"{self.scheme}://{self._bracketed}:{self.port}"

    @property
    def host_header(self) -> str:
        default = PORTS[self.scheme] == self.port
        return self._bracketed if default else f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse(url: str) -> Target:
    """The target of `url`, or BadAddress. Looks nothing up."""
    if len(url) > URL_LENGTH or not VISIBLE.fullmatch(url):
        raise BadAddress(f"Takes a URL of at most {URL_LENGTH} visible ASCII characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("This is not a URL.") from None
    if parts.scheme not in PORTS:
        raise BadAddress("Takes an http or https URL.")
    if "@" in parts.netloc:
        raise BadAddress("Takes a URL without a user name or password.")
    if port == 0:
        raise BadAddress("Takes a port from 1 to 65535.")
    target = Target(parts.scheme, _host(parts), port or PORTS[parts.scheme], _path(parts))
    if len(target.key) > TARGET_LENGTH:
        raise BadAddress("The host name is too long.")
    return target


def check_form(url: str, allowed: Sequence[Network]) -> Target:
    """`parse`, and what is plain without a look-up: addresses and names of this machine."""
    target = parse(url)
    literal = _literal(target.host)
    if literal is not None and not may_call(literal, allowed):
        raise BadAddress("Takes a public address; this one is private or reserved.")
    name = target.host.rstrip(".")
    if (name == "localhost" or name.endswith(".localhost")) and not allowed:
        raise BadAddress("Takes a public address; this name means the service's own machine.")
    return target


def resolve(target: Target, allowed: Sequence[Network]) -> list[tuple[int, Any]]:
    """(family, socket address) of the target, every one of them checked; else Undeliverable."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Undeliverable("The host name could not be looked up.") from None
    places = [(int(family), place) for family, _, _, _, place in found]
    if not places or not all(_place_is_free(place, allowed) for _, place in places):
        raise Undeliverable("The name leads to a private or reserved address; not called.")
    return places


def may_call(address: Address, allowed: Iterable[Network]) -> bool:
    """Public, or in a network the operator allows; the same of every address inside this one."""
    allowed = tuple(allowed)
    return all(
        _is_public(each) or any(each in network for network in allowed)
        for each in _unfolded(address)
    )


def _place_is_free(place: Any, allowed: Sequence[Network]) -> bool:
    host, *rest = place
    zoned = len(rest) > 2 and rest[2] != 0
    return not zoned and may_call(ip_address(host), allowed)


def _is_public(address: Address) -> bool:
    if any(address in network for network in NEVER_PUBLIC):
        return False
    if isinstance(address, IPv6Address) and not any(address in net for net in GLOBAL_V6):
        return False
    return address in NAT64 or (address.is_global and not address.is_multicast)


def _unfolded(address: Address) -> Iterator[Address]:
    """The address itself and the IPv4 ones that transition mechanisms carry inside it."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped  # the kernel calls this one
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in NAT64 or (int(address) >> 32) & EMBEDDED_V4 in ISATAP:
        yield IPv4Address(int(address) & EMBEDDED_V4)


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        literal = _literal(host)
        if literal is None or "%" in host:
            raise BadAddress("This is not a URL.")
        return str(literal)
    if NUMERIC_END.search(host) and _literal(host) is None:
        raise BadAddress("Takes an IPv4 address as four decimal numbers.")
    if not NAME.fullmatch(host):
        raise BadAddress("Takes a host name of letters, digits, hyphens and dots.")
    return host


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
