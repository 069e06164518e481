"""One connection that lives from answer to answer."""

from __future__ import annotations

import socket
import time

from downloader.library.errors import ProtocolViolation
from downloader.library.http import heads
from downloader.library.http.addresses import Origin
from downloader.library.http.dialing import Way
from downloader.library.http.wires import Broken, Tick

_HEAD_BUFFER = 32 * 1024


class Patience:
    """How long a server may say (nearly) nothing. A waiting that was our own does not count."""

    def __init__(self, timeout_s: float, least_bytes: int = 1) -> None:
        self._timeout_s = timeout_s
        self._least = least_bytes
        self.restart()

    def restart(self) -> None:
        self._since = time.monotonic()
        self._got = 0

    def received(self, count: int) -> None:
        self._got += count
        if self._got >= self._least:
            self.restart()

    def check(self) -> None:
        if time.monotonic() - self._since > self._timeout_s:
            raise Broken(
                f"The server sent {self._got} bytes in {self._timeout_s:g} s.",
                details={"stalled": True},
            )


class Connection:
    """A wire with the bytes that were read too far. Used by one thread at a time."""

    def __init__(self, origin: Origin, way: Way) -> None:
        self.origin = origin
        self.proxy = way.proxy
        self.served = 0  # answers so far: a kept connection may have been closed meanwhile
        self.idle_since = 0.0
        self._wire = way.wire
        self._ahead = memoryview(b"")

    @property
    def clean(self) -> bool:
        """Nothing is waiting that nobody asked for."""
        return not self._ahead

    @property
    def socket(self) -> socket.socket:
        return self._wire.sock

    def send(self, data: bytes) -> None:
        try:
            self._wire.send(data)
        except OSError as error:
            raise _broken(error) from None

    def head(self, tick: Tick, patience: Patience) -> heads.Head:
        """The next answer's head; interim answers (1xx) are passed over."""
        for _ in range(10):
            head = heads.parse(self._raw_head(tick, patience))
            if head.status >= 200:
                return head
            if head.status == 101:
                break
        raise ProtocolViolation("The server switched to another protocol, unasked.")

    def receive(self, view: memoryview, tick: Tick, patience: Patience, *, fill: bool) -> int:
        """Bytes put into `view`: with `fill` as many as fit, or came before a wait grew long. 0
        only at the end of the stream."""
        if self._ahead:
            return self._take_ahead(view)
        while True:
            got = self._receive(view, fill=fill)
            if got is not None:
                patience.received(got)
                if got < len(view):
                    patience.check()
                return got
            before = time.monotonic()
            tick()
            if time.monotonic() - before > 0.1:
                patience.restart()  # we slept ourselves: a pause
            patience.check()

    def close(self) -> None:
        self._wire.sock.close()

    def _take_ahead(self, view: memoryview) -> int:
        count = min(len(view), len(self._ahead))
        view[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return count

    def _receive(self, view: memoryview, *, fill: bool) -> int | None:
        try:
            return self._wire.receive(view, fill=fill)
        except OSError as error:
            raise _broken(error) from None

    def _raw_head(self, tick: Tick, patience: Patience) -> bytes:
        buffer = bytearray(_HEAD_BUFFER)
        size = 0
        while True:
            got = self.receive(memoryview(buffer)[size:], tick, patience, fill=False)
            if not got:
                raise Broken("The server closed the connection without an answer.")
            end = buffer.find(b"\r\n\r\n", max(0, size - 3), size + got)
            size += got
            if end >= 0:
                self._ahead = memoryview(buffer)[end + 4 : size]
                return bytes(memoryview(buffer)[: end + 4])
            if size >= heads.LONGEST:
                raise ProtocolViolation("The head of an answer has no end.")
            if size == len(buffer):
                buffer = buffer + bytearray(heads.LONGEST - size)


def _broken(error: OSError) -> Broken:
    return Broken(f"The connection broke: {error.strerror or type(error).__name__}.")
