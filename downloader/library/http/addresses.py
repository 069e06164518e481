"""Addresses on the web, taken apart strictly: what is odd is refused before a byte is sent."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urljoin, urlsplit

from downloader.library.errors import ProtocolViolation

_PORTS = {"http": 80, "https": 443}
_LONGEST = 16 * 1024
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?")


@dataclass(frozen=True)
class Origin:
    """Who answers: a secret given for one origin is never sent to another."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """As the `Host` header has it: without the port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @cached_property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.rstrip(".") == "localhost"


@dataclass(frozen=True)
class Address:
    origin: Origin
    target: str  # path and query, as sent

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"

    @property
    def shown(self) -> str:
        """For people, logs and errors: without the query, which may hold a signature or a token."""
        return f"{self.origin}{self.target.partition('?')[0]}"


def parse(url: str) -> Address:
    """`url` as an absolute http(s) address, or ProtocolViolation."""
    if len(url) > _LONGEST:
        raise ProtocolViolation(f"An address of {len(url)} characters is too long.")
    if _ODD.search(url):
        raise ProtocolViolation("An address holds a space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ProtocolViolation("An address cannot be read: its host or port is wrong.") from None
    if parts.scheme not in _PORTS:
        raise ProtocolViolation(
            f"Only http and https addresses can be fetched, not {parts.scheme[:20] or 'none'!r}.",
        )
    if parts.username is not None or parts.password is not None:
        raise ProtocolViolation("An address with a user name in it is refused: it may be a secret.")
    origin = Origin(parts.scheme, _host(parts.hostname or ""), port or _PORTS[parts.scheme])
    query = f"?{parts.query}" if parts.query else ""
    return Address(origin, _ascii((parts.path or "/") + query))


def join(base: Address, location: str) -> Address:
    """Where a redirect leads. Blanks and raw UTF-8 in it are encoded, as browsers do."""
    return parse(urljoin(str(base), location.strip().replace(" ", "%20")))


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        pass
    try:
        host = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise ProtocolViolation("An address names no valid host.")
    return host


def _ascii(target: str) -> str:
    return target if target.isascii() else quote(target, safe="/?&=%:@!$'()*+,;~#[]|")
