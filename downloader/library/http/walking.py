"""One request, and the redirects it leads through.

A secret stays with the origin it was given for, and nobody is led from https to http, in circles,
or out of the web.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from downloader.library.errors import ProtocolViolation
from downloader.library.http import addresses
from downloader.library.http.addresses import Address, Origin
from downloader.library.http.connection import Connection, Patience
from downloader.library.http.heads import Head
from downloader.library.http.pool import Pool
from downloader.library.http.responses import Hop, Line, Response
from downloader.library.http.wires import Broken, Tick

_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 10


@dataclass
class Walk:
    pool: Pool
    headers: Mapping[str, str]  # sent with every hop
    authorization: str | None
    secret_for: Origin | None  # where `authorization` may go; None once we have been elsewhere
    tick: Tick
    patience: Patience
    insecure_redirects: bool = False

    def to_the_end(self, address: Address) -> Response:
        """The first answer that is no redirect."""
        hops: list[Hop] = []
        seen = {str(address)}
        while True:
            response = self._ask(address, tuple(hops))
            to = response.headers.get("location")
            if response.status not in _REDIRECTS or to is None:
                return response
            hops.append(Hop(response.status, response.headers, str(address)))
            response.drain()
            address = self._next(address, to)
            if str(address) in seen or len(hops) > _MOST_REDIRECTS:
                raise ProtocolViolation(
                    f"{addresses.parse(hops[0].url).shown} redirects in circles, or more than "
                    f"{_MOST_REDIRECTS} times.",
                )
            seen.add(str(address))

    def _ask(self, address: Address, hops: tuple[Hop, ...]) -> Response:
        headers = dict(self.headers)
        if address.origin != self.secret_for:
            self.secret_for = None  # also on the way back
        elif self.authorization:
            headers["Authorization"] = self.authorization
        head, connection = self._exchange(address, headers)
        line = Line(connection, self.tick, self.patience, self.pool.give_back)
        try:
            return Response(head, address, hops, line)
        except BaseException:
            connection.close()
            raise

    def _exchange(self, address: Address, headers: Mapping[str, str]) -> tuple[Head, Connection]:
        """A request and the head of its answer, on a kept connection or a new one."""
        connection = self.pool.take(address.origin, self.tick)
        if connection.served:
            try:
                return self._on(connection, address, headers), connection
            except Broken as error:
                if "stalled" in error.details:
                    raise
            # The server closed it while it was idle, as it may: that is no failure.
            connection = self.pool.fresh(address.origin, self.tick)
        return self._on(connection, address, headers), connection

    def _on(self, connection: Connection, address: Address, headers: Mapping[str, str]) -> Head:
        try:
            connection.send(_request(address, headers, connection))
            self.patience.restart()
            head = connection.head(self.tick, self.patience)
        except BaseException:
            connection.close()
            raise
        connection.served += 1
        return head

    def _next(self, address: Address, to: str) -> Address:
        following = addresses.join(address, to)
        before, after = address.origin, following.origin
        down = before.scheme == "https" and after.scheme == "http"
        both_here = before.is_loopback and after.is_loopback
        if down and not both_here and not self.insecure_redirects:
            raise ProtocolViolation(f"{address.shown} redirects from https to http: refused.")
        return following


def _request(address: Address, headers: Mapping[str, str], connection: Connection) -> bytes:
    lines = {
        "Host": address.origin.authority,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        **headers,
    }
    target = address.target
    if connection.proxy is not None:
        target = str(address)
        if connection.proxy.authorization:
            lines["Proxy-Authorization"] = connection.proxy.authorization
    text = "".join(f"{name}: {_clean(value)}\r\n" for name, value in lines.items())
    return f"GET {target} HTTP/1.1\r\n{text}\r\n".encode("ascii")


def _clean(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ProtocolViolation("A request header holds a character that may not be sent.")
    return value
