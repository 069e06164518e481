"""One client's connection: what uvicorn leaves open to clients that are slow, silent or hostile.

* A peer that takes nothing for STALLED_S while an answer waits for it is let go, and so is one that
  vanished without a word. What the kernel queues for it is kept small, so that this shows.
* A request's headers have a size and a time to arrive in; a request that is none is answered with
  the API's own envelope.
* A stream learns that the server is closing, and that its client left though it had already sent
  its next request.
"""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from dreamforge_site import correlation
from dreamforge_site.api import errors

log = structlog.get_logger(__name__)

STALLED_S = 60.0
FAREWELL_S = 2.0
HEADERS_WITHIN_S = 30.0
HEADERS_LIMIT_BYTES = 65_536
UNSENT_LIMIT_BYTES = 131_072
IN_STATE = "connection"


class HeadersTooLarge(ValueError):
    """More than a request line and headers may be."""


class NotOneHost(ValueError):
    """HTTP/1.1 takes a Host header, and one only: of two, a proxy in front read the other."""


class Connection(HttpToolsProtocol):
    closing = False  # the server is about to stop
    _served: RequestResponseCycle | None = None
    _silence: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _unfinished_bytes = 0
    _in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _limit(transport.get_extra_info("socket"))
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel(self._silence, self._stall)
        # uvicorn tells the newest request only, which may be queued behind the one being answered.
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True
            self._served.message_event.set()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][IN_STATE] = self
        self._header_bytes = 0
        self._in_head = True
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        if self._served is None or self._served.response_complete:
            self._expect_headers()  # also for a bare line break, which begins no request
        super().data_received(data)
        # The parser speaks of a header when it ends; one that never ends is counted here.
        self._unfinished_bytes = self._unfinished_bytes + len(data) if self._silence else 0
        if self._unfinished_bytes > HEADERS_LIMIT_BYTES and not self.transport.is_closing():
            self.send_400_response("")

    def on_url(self, url: bytes) -> None:
        self._weigh(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._weigh(len(name) + len(value))
        if self._in_head:  # trailers are no headers: a proxy in front has not seen them
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._cancel(self._silence)
        self._silence = None
        self._in_head = False
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            raise NotOneHost
        super().on_headers_complete()

    def give(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole answer in one piece, without uvicorn's look at each header; False, and
        nothing is written, where anything but an idle connection that stays open is at hand. For
        headers that the service made, with a content-length."""
        cycle = self._served
        unfit = cycle is None or cycle.response_started or cycle.disconnected
        if cycle is None or unfit or not cycle.keep_alive or self.flow.write_paused:
            return False
        cycle.response_started = True
        lines = [b"%b: %b\r\n" % pair for pair in (*cycle.default_headers, *headers)]
        self.transport.write(b"".join((STATUS_LINE[status], *lines, b"\r\n", body)))
        cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()
        return True

    def wrote(self, size_bytes: int) -> None:
        """So much of the body that is under way went into the socket, past uvicorn."""
        if self._served is not None:
            self._served.expected_content_length -= size_bytes

    def send_400_response(self, msg: str) -> None:
        request_id = uuid.uuid4().hex
        log.info("request_refused", status=400, request_id=request_id, client=self.client)
        self.transport.write(_unreadable(request_id))
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_progress(STALLED_S)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel(self._stall)

    def shutdown(self) -> None:
        self.closing = True
        super().shutdown()
        if self._served is not None:
            self._served.message_event.set()  # whoever waits for its client looks up
        if self.flow.write_paused:
            self._await_progress(FAREWELL_S)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def _expect_headers(self) -> None:
        if self._silence is None:
            self._silence = self.loop.call_later(HEADERS_WITHIN_S, self.transport.abort)

    def _await_progress(self, within_s: float) -> None:
        self._cancel(self._stall)
        waiting = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(within_s, self._check_progress, within_s, waiting)

    def _check_progress(self, within_s: float, waiting: int) -> None:
        """A slow reader may be slow; one that took nothing at all is gone or never meant to."""
        if self.transport.get_write_buffer_size() < waiting:
            self._await_progress(within_s)
            return
        log.info("stalled_client_let_go", unsent_bytes=waiting)
        self.transport.abort()

    def _weigh(self, size_bytes: int) -> None:
        self._header_bytes += size_bytes
        if self._header_bytes > HEADERS_LIMIT_BYTES:
            raise HeadersTooLarge

    @staticmethod
    def _cancel(*timers: asyncio.TimerHandle | None) -> None:
        for timer in timers:
            if timer is not None:
                timer.cancel()


def _unreadable(request_id: str) -> bytes:
    error = errors.malformed(
        "This is not an HTTP request the server can read; it has one Host header, and its "
        f"headers may take {HEADERS_LIMIT_BYTES} bytes."
    )
    error.correlation_id = request_id
    body = json.dumps(errors.envelope(error)).encode()
    head = (
        "HTTP/1.1 400 Bad Request\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{correlation.ANSWERED_IN}: {request_id}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _limit(connection: Any) -> None:
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for option, value in (
        ("TCP_USER_TIMEOUT", round(STALLED_S * 1000)),
        ("TCP_NOTSENT_LOWAT", UNSENT_LIMIT_BYTES),
    ):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
