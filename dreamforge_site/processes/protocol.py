"""HTTP as we speak it: uvicorn's protocol, with limits on a request's head and our one envelope.

uvicorn waits for ever for a head that trickles in, takes headers of any size, and answers what it
cannot parse with a line of text.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dreamforge_site import correlation
from dreamforge_site.api import errors

log = structlog.get_logger(__name__)

HEAD_LIMIT_BYTES = 65_536
HEAD_WITHIN_S = 20.0


class HeadTooLong(Exception):
    """The parser turns it into its own error, and that into a 400."""


class Protocol(HttpToolsProtocol):
    _head_bytes = 0
    _unfinished_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # The parser speaks of a header when it ends; one that never ends is counted here.
        self._unfinished_bytes = self._unfinished_bytes + len(data) if self._patience else 0
        if self._unfinished_bytes > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self.send_400_response("")

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_is_here()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        request_id = uuid.uuid4().hex
        log.info("request_refused", status=400, request_id=request_id, client=self.client)
        error = errors.malformed("This is not an HTTP request the server can read.")
        error.correlation_id = request_id
        self.transport.write(_answer(error.status, errors.envelope(error), request_id))
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_LIMIT_BYTES:
            raise HeadTooLong

    def _expect_head(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _head_is_here(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _answer(status: int, content: dict[str, Any], request_id: str) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {status} Bad Request\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{correlation.ANSWERED_IN}: {request_id}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
