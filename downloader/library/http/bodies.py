"""The body of an answer, however it is framed. A body that ends early is an error, never a file."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

from downloader.library.errors import ProtocolViolation
from downloader.library.http.heads import Head
from downloader.library.http.wires import Broken

Receive = Callable[[memoryview, bool], int]  # into the view; True: fill it; 0 is the end

_LONGEST_LINE = 4096
_DECODER_INPUT = 64 * 1024


class Body(Protocol):
    @property
    def ended(self) -> bool:
        """Everything was read, and the connection stands at the next answer."""

    def read_into(self, view: memoryview) -> int:
        """Bytes put into `view` (as many as fit, in good time), 0 at the end."""


class Sized:
    def __init__(self, receive: Receive, length: int) -> None:
        self._receive = receive
        self.left = length
        self.ended = length == 0

    def read_into(self, view: memoryview) -> int:
        wanted = min(len(view), self.left)
        if not wanted:
            return 0
        got = self._receive(view[:wanted], True)
        if not got:
            raise Broken(f"The answer ended {self.left} bytes early.", details={"short": True})
        self.left -= got
        self.ended = self.left == 0
        return got


class Chunked:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = 0
        self._begun = False
        self.ended = False

    def read_into(self, view: memoryview) -> int:
        if not self._left and not self.ended:
            self._next_chunk()
        if self.ended:
            return 0
        got = self._some(view[: min(len(view), self._left)], fill=True)
        self._left -= got
        return got

    def _next_chunk(self) -> None:
        if self._begun and self._line():
            raise ProtocolViolation("The server's chunks do not end where they should.")
        self._begun = True
        digits = self._line().partition(b";")[0].strip()
        if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
            raise ProtocolViolation("The server sent a chunk without a length.")
        self._left = int(digits, 16)
        if not self._left:
            self._trailer()

    def _trailer(self) -> None:
        for _ in range(100):
            if not self._line():
                self.ended = True
                return
        raise ProtocolViolation("The trailer of an answer has no end.")

    def _line(self) -> bytes:
        line, byte = bytearray(), memoryview(bytearray(1))
        while not line.endswith(b"\r\n"):
            self._some(byte, fill=False)
            line += byte
            if len(line) > _LONGEST_LINE:
                raise ProtocolViolation("A line between chunks has no end.")
        return bytes(line[:-2])

    def _some(self, view: memoryview, *, fill: bool) -> int:
        got = self._receive(view, fill)
        if not got:
            raise Broken("The answer ended in the middle of its chunks.", details={"short": True})
        return got


class UntilClose:
    """No length at all: the end of the connection is the end of the body, or looks like it. Only
    who knows the size or the digest can tell."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False  # such a connection is never used again

    def read_into(self, view: memoryview) -> int:
        return self._receive(view, True)


class Decoded:
    """gzip or deflate, from a server that compresses unasked. What comes out of one read is bounded
    by the view, so a bomb is cut by whoever counts."""

    def __init__(self, inner: Body) -> None:
        self._inner = inner
        self._inflate = zlib.decompressobj(wbits=47)
        self._input = memoryview(bytearray(_DECODER_INPUT))
        self._waiting = b""

    @property
    def ended(self) -> bool:
        return self._inner.ended

    def read_into(self, view: memoryview) -> int:
        while not self._inflate.eof:
            if not self._waiting:
                self._waiting = self._more()
            try:
                out = self._inflate.decompress(self._waiting, len(view))
            except zlib.error:
                raise ProtocolViolation("The server's compressed answer is damaged.") from None
            self._waiting = self._inflate.unconsumed_tail
            if out:
                view[: len(out)] = out
                return len(out)
        return self._end()

    def _more(self) -> bytes:
        got = self._inner.read_into(self._input)
        if not got:
            raise Broken("The compressed answer ended early.", details={"short": True})
        return bytes(self._input[:got])

    def _end(self) -> int:
        if self._inner.read_into(self._input):
            raise ProtocolViolation("The server sent more after its compressed answer.")
        return 0


def of(head: Head, receive: Receive) -> Body:
    """The body that belongs to `head`, decoded."""
    coding = head.headers.get("content-encoding", "").strip().lower()
    plain = _framed(head, receive)
    if coding in {"", "identity"} or plain.ended:
        return plain
    if coding in {"gzip", "x-gzip", "deflate"}:
        return Decoded(plain)
    raise ProtocolViolation(f"The server compresses as {coding[:20]!r}, which was not asked for.")


def _framed(head: Head, receive: Receive) -> Body:
    if head.chunked:
        return Chunked(receive)
    return UntilClose(receive) if head.length is None else Sized(receive, head.length)
