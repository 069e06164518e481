"""A connected socket, in the clear or under TLS, read in large pieces with few wake-ups.

Every wait ends after `POLL_S`, so that whoever waits can look whether to stop; the waits add up to
the limits of the caller. Nothing here blocks for longer, a name look-up excepted.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Protocol

from downloader.library.errors import Unreachable

POLL_S = 0.4
_TIMEVAL = struct.pack("ll", 0, int(POLL_S * 1_000_000))

Tick = Callable[[], None]  # called while waiting; raises to stop


class Broken(Unreachable):
    """The connection did not hold: refused, reset, cut, too slow."""


class Wire(Protocol):
    @property
    def sock(self) -> socket.socket: ...

    def receive(self, view: memoryview, *, fill: bool) -> int | None:
        """Bytes put into `view`: 0 at the end of the stream, None when none came in time. With
        `fill`, as many as fit, unless time runs out first."""

    def send(self, data: bytes) -> None: ...


class PlainWire:
    """Blocking, with the time limit in the kernel: one system call for a full buffer."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)

    def receive(self, view: memoryview, *, fill: bool) -> int | None:
        try:
            return self.sock.recv_into(view, 0, socket.MSG_WAITALL if fill else 0)
        except BlockingIOError:
            return None

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


class TlsWire:
    """Record by record: the TLS library hands out no more at once."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        sock.settimeout(POLL_S)

    def receive(self, view: memoryview, *, fill: bool) -> int | None:
        count, until = 0, time.monotonic() + POLL_S
        while True:
            try:
                got = self.sock.recv_into(view[count:])
            except TimeoutError:
                return count or None
            count += got
            if not got or not fill or count == len(view) or time.monotonic() > until:
                return count

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


def connect(address: tuple[str, int], family: int, timeout_s: float, tick: Tick) -> socket.socket:
    """A TCP connection to one IP address."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BlockingIOError):
            sock.connect(address)
        _await(sock, select.POLLOUT, time.monotonic() + timeout_s, tick)
        _raise_if_refused(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def secure(
    sock: socket.socket, context: ssl.SSLContext, host: str, timeout_s: float, tick: Tick
) -> ssl.SSLSocket:
    """`sock` under TLS, the certificate checked for `host`. Closes `sock` when it cannot."""
    try:
        wrapped = context.wrap_socket(
            sock, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
    except BaseException:
        sock.close()
        raise
    try:
        _shake_hands(wrapped, time.monotonic() + timeout_s, tick)
    except BaseException:
        wrapped.close()
        raise
    return wrapped


def is_stale(sock: socket.socket) -> bool:
    """Whether an idle connection has something to say: its end, or what nobody asked for."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def _shake_hands(sock: ssl.SSLSocket, deadline: float, tick: Tick) -> None:
    sock.setblocking(False)
    while True:
        try:
            return sock.do_handshake()
        except ssl.SSLWantReadError:
            _await(sock, select.POLLIN, deadline, tick)
        except ssl.SSLWantWriteError:
            _await(sock, select.POLLOUT, deadline, tick)


def _raise_if_refused(sock: socket.socket) -> None:
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))


def _await(sock: socket.socket, event: int, deadline: float, tick: Tick) -> None:
    poller = select.poll()
    poller.register(sock, event)
    while not poller.poll(POLL_S * 1000):
        tick()
        if time.monotonic() > deadline:
            raise TimeoutError
