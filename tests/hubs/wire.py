"""HTTP/1.1 with one client: keep-alive, and bodies that can be sent in every wrong way a `Way`
describes."""

from __future__ import annotations

import contextlib
import email.utils
import http
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.hubs.content import Content, OnDisk
from tests.hubs.log import Entry
from tests.hubs.messages import Request, Response, Way, text

MAX_HEAD = 1 << 16
RECEIVE = 1 << 16
ONE_SENDFILE = 1 << 22
JOINED_BELOW = 1 << 16
CATCH_UP_S = 0.02  # what a late wake-up cost may be sent at once afterwards
LINGER_NOT = struct.pack("ii", 1, 0)
NO_BODY = (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED)

Answer = Callable[[Request], tuple[Response, Entry]]


class Ended(Exception):
    """This connection is over."""


class Connection:
    """A client that is connected: requests in, answers out, one after the other."""

    def __init__(self, sock: socket.socket, origin: str, number: int, stop: threading.Event):
        self.sock = sock
        self.origin = origin
        self.number = number
        self._stop = stop
        self._buffer = b""
        self._closing = threading.Lock()
        self._free_at = time.monotonic()  # when a byte may be sent again, under a rate

    def serve(self, answer: Answer) -> None:
        with contextlib.suppress(Ended, OSError):
            while True:
                request = self._receive()
                response, entry = answer(request)
                self._send(request, response, entry)
                if response.way.close or not _keeps_alive(request, response):
                    return

    # Receiving

    def _receive(self) -> Request:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > MAX_HEAD:
                raise Ended
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        target = rest.rpartition(" ")[0]
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if rest.endswith("HTTP/1.0"):
            headers.setdefault("connection", "close")
        body = self._body(headers)
        return Request(self.origin, method, target, headers, body, self.number)

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", ""):
            self.sock.sendall(_head(text("", 411), {"Content-Length": "0"}))
            raise Ended
        length = int(headers.get("content-length") or 0)
        if length and "100-continue" in headers.get("expect", "").lower():
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def _more(self) -> None:
        received = self.sock.recv(RECEIVE)
        if not received:
            raise Ended
        self._buffer += received

    # Sending

    def _send(self, request: Request, response: Response, entry: Entry) -> None:
        way = response.way
        self._pause(way.delay_s)
        if response.raw is not None:
            self.sock.sendall(response.raw)
            raise Ended
        head = _head(response, _framing(response))
        if request.method == "HEAD" or response.status in NO_BODY:
            self.sock.sendall(head)
            return
        if way == Way() and response.body_size < JOINED_BELOW:
            body = response.content.read(response.start, response.end)
            entry.sent += len(body)  # before it leaves, as below
            self.sock.sendall(head + body)
            return
        self.sock.sendall(head)
        self._send_body(response, entry)

    def _send_body(self, response: Response, entry: Entry) -> None:
        way = response.way
        marks = {mark for mark in (way.stall_at, way.cut_at, way.reset_at) if mark is not None}
        inside = sorted(mark for mark in marks if mark < response.body_size)
        self._event(way, 0)
        for begin, end in pairwise(sorted({0, *inside, response.body_size})):
            self._send_span(response, response.start + begin, response.start + end, entry)
            self._event(way, end)
        self._finish(response, entry)

    def _event(self, way: Way, position: int) -> None:
        """What happens when so many bytes of the body are out."""
        if position == way.stall_at:
            self._pause(way.stall_s)
        if position == way.cut_at:
            raise Ended
        if position == way.reset_at:
            self.reset()

    def _finish(self, response: Response, entry: Entry) -> None:
        if response.way.extra:
            self._put(response.way, response.way.extra, entry)
        if response.way.framing == "chunked":
            self.sock.sendall(b"0\r\n\r\n")

    def _send_span(self, response: Response, start: int, stop: int, entry: Entry) -> None:
        way, content = response.way, response.content
        straight = way.framing != "chunked" and way.rate is None and way.flip_at is None
        if straight and isinstance(content, OnDisk) and not isinstance(self.sock, ssl.SSLSocket):
            self._send_file(content, start, stop, entry)
            return
        for part in _parts(content, start, stop, way):
            self._put(way, part, entry)

    def _send_file(self, content: OnDisk, start: int, stop: int, entry: Entry) -> None:
        with content.path.open("rb") as file:
            while start < stop:
                wanted = min(stop - start, ONE_SENDFILE)
                entry.sent += wanted
                sent = 0
                try:
                    sent = os.sendfile(self.sock.fileno(), file.fileno(), start, wanted)
                finally:
                    entry.sent -= wanted - sent
                if sent == 0:
                    raise Ended
                start += sent

    def _put(self, way: Way, part: memoryview | bytes, entry: Entry) -> None:
        if way.framing == "chunked":
            self.sock.sendall(b"%x\r\n" % len(part))
        self._send_part(part, entry)
        if way.framing == "chunked":
            self.sock.sendall(b"\r\n")
        if way.rate is not None:
            now = time.monotonic()
            behind = max(self._free_at, now - CATCH_UP_S)
            self._free_at = behind + len(part) / way.rate
            self._pause(self._free_at - now)

    def _send_part(self, part: memoryview | bytes, entry: Entry) -> None:
        """Counted before it leaves: whoever has read it all finds it in the log."""
        left = memoryview(part)
        while left:
            entry.sent += len(left)
            sent = 0
            try:
                sent = self.sock.send(left)
            finally:
                entry.sent -= len(left) - sent
            left = left[sent:]

    def _pause(self, seconds: float) -> None:
        if seconds > 0 and self._stop.wait(seconds):
            raise Ended

    def reset(self) -> None:
        """RST instead of FIN; what the client has not read yet may be lost with it."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        raise Ended

    def close(self) -> None:
        with self._closing, contextlib.suppress(OSError):
            self.sock.close()

    def interrupt(self) -> None:
        """Wake its thread, from another one."""
        with self._closing, contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _keeps_alive(request: Request, response: Response) -> bool:
    words = (request.header("connection") or "", response.header("connection") or "")
    return not any("close" in word.lower() for word in words)


def _parts(content: Content, start: int, stop: int, way: Way) -> Iterator[memoryview]:
    for piece in content.pieces(start, stop):
        sound = _flipped(piece, way.flip_at, start)
        step = way.step if way.rate is not None else len(sound)
        for begin in range(0, len(sound), step):
            yield sound[begin : begin + step]
        start += len(piece)


def _flipped(piece: memoryview, at: int | None, start: int) -> memoryview:
    if at is None or not start <= at < start + len(piece):
        return piece
    changed = bytearray(piece)
    changed[at - start] ^= 1
    return memoryview(changed)


def _framing(response: Response) -> dict[str, str]:
    way = response.way
    if way.framing == "chunked":
        return {"Transfer-Encoding": "chunked"}
    if way.framing == "close":
        return {"Connection": "close"}
    if response.status == http.HTTPStatus.NO_CONTENT:
        return {}
    length = response.body_size if way.length is None else way.length
    return {"Content-Length": str(length)}


def _head(response: Response, framing: dict[str, str]) -> bytes:
    try:
        phrase = http.HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = {"Date": email.utils.formatdate(usegmt=True), **response.headers, **framing}
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
