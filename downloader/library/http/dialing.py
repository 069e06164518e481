"""From an origin to a connected wire: names, the guard, a proxy, TLS."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from downloader.library.errors import AccessNeeded, DownloadError, ProtocolViolation, Refused
from downloader.library.http import heads
from downloader.library.http.addresses import Origin
from downloader.library.http.proxies import Proxies, Proxy
from downloader.library.http.wires import Broken, PlainWire, Tick, TlsWire, Wire, connect, secure

Guard = Callable[[str, str], bool]  # (host, ip) → may we connect there?


@dataclass(frozen=True)
class Way:
    """An open connection, and whether requests on it name the whole address (a plain proxy)."""

    wire: Wire
    proxy: Proxy | None


class Dialer:
    def __init__(
        self,
        proxies: Proxies,
        *,
        ca_file: str | None,
        connect_timeout_s: float,
        guard: Guard | None,
    ) -> None:
        self._proxies = proxies
        self._ca_file = ca_file
        self._timeout_s = connect_timeout_s
        self._guard = guard
        self._tls: ssl.SSLContext | None = None

    def dial(self, origin: Origin, tick: Tick) -> Way:
        """A connection to `origin`; Broken when nobody answers, Refused when the guard forbids."""
        proxy = self._proxies.choose(origin)
        try:
            sock = self._socket(origin, proxy, tick)
            if origin.scheme == "http":
                return Way(PlainWire(sock), proxy)
            if proxy is not None:
                _tunnel(sock, origin, proxy, tick)
            return Way(TlsWire(self._secure(sock, origin, tick)), None)
        except DownloadError:
            raise
        except OSError as error:
            raise _translated(error, origin, proxy) from None

    def _socket(self, origin: Origin, proxy: Proxy | None, tick: Tick) -> socket.socket:
        if proxy is None:
            return self._first(self._allowed(origin, _resolve(origin.host, origin.port)), tick)
        if self._guard is not None:  # what the proxy will look up, we look up too
            list(self._allowed(origin, _resolve(origin.host, origin.port)))
        return self._first(iter(_resolve(proxy.host, proxy.port)), tick)

    def _allowed(self, origin: Origin, found: list[_Found]) -> Iterator[_Found]:
        """The guard sees the very IP that is connected to: a second look-up cannot differ."""
        for one in found:
            if self._guard is not None and not self._guard(origin.host, one.ip):
                raise Refused(
                    f"{origin.host} leads to an address that is not allowed ({one.ip}).",
                    details={"host": origin.host},
                )
            yield one

    def _first(self, found: Iterator[_Found], tick: Tick) -> socket.socket:
        failure: OSError = OSError("no address")
        for one in found:
            tick()
            try:
                return connect((one.ip, one.port), one.family, self._timeout_s, tick)
            except OSError as error:
                failure = error
        raise failure

    def _secure(self, sock: socket.socket, origin: Origin, tick: Tick) -> ssl.SSLSocket:
        if self._tls is None:
            self._tls = _context(self._ca_file)
        return secure(sock, self._tls, origin.host, self._timeout_s, tick)


@dataclass(frozen=True)
class _Found:
    family: int
    ip: str
    port: int


def _resolve(host: str, port: int) -> list[_Found]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [
        _Found(family, str(address[0]), port)
        for family, *_, address in found
        if family in {socket.AF_INET, socket.AF_INET6}
    ]


def _context(ca_file: str | None) -> ssl.SSLContext:
    """The operator's authorities when named, else the system's (`SSL_CERT_FILE` is read there)."""
    named = ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    context = ssl.create_default_context()
    if named:
        context.load_verify_locations(cafile=named)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _tunnel(sock: socket.socket, origin: Origin, proxy: Proxy, tick: Tick) -> None:
    """CONNECT: from here on the proxy passes bytes through."""
    wire = PlainWire(sock)
    name = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {name}:{origin.port} HTTP/1.1", f"Host: {name}:{origin.port}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    try:
        wire.send("\r\n".join([*lines, "", ""]).encode("ascii"))
        _check_open(heads.parse(_bare_head(wire, tick)), proxy)
    except BaseException:
        sock.close()
        raise


def _check_open(head: heads.Head, proxy: Proxy) -> None:
    if head.status == 407:
        raise AccessNeeded(
            f"The proxy {proxy.host} wants a user name and a password in its setting."
        )
    if head.status != 200:
        raise Broken(f"The proxy {proxy.host} answered {head.status} to CONNECT.")


def _bare_head(wire: Wire, tick: Tick) -> bytes:
    """Byte by byte, as nothing after it may be taken from the TLS handshake."""
    raw, byte, waits = bytearray(), memoryview(bytearray(1)), 0
    while not raw.endswith(b"\r\n\r\n"):
        got = wire.receive(byte, fill=False)
        if got == 0 or waits > 50:
            raise Broken("The proxy closed the connection, or did not answer.")
        if got is None:
            waits += 1
            tick()
        else:
            raw += byte
        if len(raw) > heads.LONGEST:
            raise ProtocolViolation("The proxy's answer has no end.")
    return bytes(raw)


def _translated(error: OSError, origin: Origin, proxy: Proxy | None) -> DownloadError:
    whom = f"the proxy {proxy.host}:{proxy.port}" if proxy else origin.authority
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(
            f"The certificate of {origin.host} is not trusted: {error.verify_message}. If a proxy "
            "or a private hub signs with its own authority, name its file in SSL_CERT_FILE.",
            details={"host": origin.host},
        )
    if isinstance(error, socket.gaierror):
        return Broken(f"The name of {whom} cannot be resolved.", details={"host": origin.host})
    if isinstance(error, TimeoutError):
        return Broken(f"{whom} did not answer in time.", details={"host": origin.host})
    why = error.strerror or type(error).__name__
    return Broken(f"Cannot connect to {whom}: {why}.", details={"host": origin.host})
