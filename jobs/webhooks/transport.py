"""One POST to a checked address, within fixed bounds of time and size.

No proxy, no redirect, no second look-up of the name. The standard library's client on a socket
that is already connected to an address `guard` has passed.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from jobs.webhooks import guard
from jobs.webhooks.errors import Undeliverable
from jobs.webhooks.guard import Network, Target

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 15.0
HANG_UP_LATER_S = 0.05  # so that the deadline has surely passed by then
KEPT_BYTES = 4096


@dataclass(frozen=True)
class Answer:
    status: int
    retry_after: str
    body: bytes  # the beginning of it


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._at


def post(
    target: Target, headers: Mapping[str, str], body: bytes, allowed: Sequence[Network]
) -> Answer:
    """What the receiver answered, or Undeliverable."""
    deadline = Deadline(TOTAL_TIMEOUT_S)
    try:
        places = guard.resolve(target, allowed)
        with _connected(target, places, deadline) as sock:
            return _exchange(sock, target, headers, body, deadline)
    except ssl.SSLCertVerificationError as error:
        raise Undeliverable(f"The certificate is not valid: {error.verify_message}.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if deadline.passed or isinstance(error, TimeoutError):
            raise Undeliverable("The receiver took too long.") from None
        raise Undeliverable(f"No answer: {_reason(error)}.") from None


@contextmanager
def _connected(
    target: Target, places: Sequence[tuple[int, Any]], deadline: Deadline
) -> Iterator[socket.socket]:
    sock = _connect(places, deadline)
    try:
        sock.settimeout(deadline.left_s)
        if target.scheme == "https":
            sock = _tls().wrap_socket(sock, server_hostname=target.host.rstrip("."))
        with _hanging_up(sock, deadline.left_s + HANG_UP_LATER_S):
            yield sock
    finally:
        sock.close()


def _connect(places: Sequence[tuple[int, Any]], deadline: Deadline) -> socket.socket:
    """To the first address that answers."""
    failure: OSError = OSError("no address")
    for family, place in places:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(CONNECT_TIMEOUT_S, deadline.left_s))
            sock.connect(place)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


@contextmanager
def _hanging_up(sock: socket.socket, after_s: float) -> Iterator[None]:
    """A receiver that sends a byte now and then never runs into a socket's timeout: hang up."""
    timer = threading.Timer(after_s, _hang_up, [sock])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(sock: socket.socket) -> None:
    try:
        # The plain socket's: TLS would take its state from under the reading thread.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # the receiver was first


def _exchange(
    sock: socket.socket,
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    deadline: Deadline,
) -> Answer:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = sock
    sent = {"Host": target.host_header, "Connection": "close", **headers}
    connection.request("POST", target.path, body=body, headers=sent)
    response = connection.getresponse()
    _ = deadline.left_s  # headers that end because we hung up are no answer
    return Answer(response.status, response.headers.get("Retry-After", ""), _beginning(response))


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """The status is what counts: a body that breaks off changes nothing about it."""
    try:
        return response.read(KEPT_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        return b""


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text or type(error).__name__)[:200]
