"""What comes back: an answer to be read piece by piece, or a whole small one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from downloader.library.errors import DownloadError
from downloader.library.http import addresses, bodies
from downloader.library.http.addresses import Address
from downloader.library.http.connection import Connection, Patience
from downloader.library.http.heads import Head, Headers
from downloader.library.http.wires import Tick

_DRAINED = 64 * 1024
AGAIN = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}  # may be well in a moment


@dataclass(frozen=True)
class Hop:
    """A redirect on the way: the hub's own headers are here, not at the storage."""

    status: int
    headers: Headers
    url: str


@dataclass(frozen=True)
class Answer:
    """A whole small answer."""

    status: int
    headers: Headers
    url: str
    body: bytes = field(repr=False)

    @property
    def shown(self) -> str:
        """The address without its query."""
        return addresses.parse(self.url).shown


class StatusError(DownloadError):
    """An answer other than 2xx, for the caller to translate."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.body
        super().__init__(
            f"{answer.shown} answered {answer.status}.", details={"status": answer.status}
        )
        self.transient = answer.status in AGAIN


@dataclass
class Line:
    """A connection with the patience and the tick of the request on it."""

    connection: Connection
    tick: Tick
    patience: Patience
    keep: Callable[[Connection], None]  # for the next request

    def receive(self, view: memoryview, fill: bool) -> int:
        return self.connection.receive(view, self.tick, self.patience, fill=fill)


class Response:
    """An answer whose body is still to be read. Close it: a connection read to the end is kept."""

    def __init__(self, head: Head, address: Address, hops: tuple[Hop, ...], line: Line) -> None:
        self.status = head.status
        self.headers = head.headers
        self.address = address
        self.hops = hops
        self.length = None if "content-encoding" in head.headers else head.length
        self._keeps_alive = head.keeps_alive
        self._line = line
        self._body = bodies.of(head, line.receive)

    @property
    def url(self) -> str:
        return str(self.address)

    def read_into(self, view: memoryview) -> int:
        """Bytes put into `view`: as many as fit, or came in good time; 0 only at the true end.
        Broken when the body ends early or stalls."""
        return self._body.read_into(view)

    def rested(self) -> None:
        """It was us who slept: the server's time to answer begins anew."""
        self._line.patience.restart()

    def close(self) -> None:
        if self._body.ended and self._keeps_alive:
            self._line.keep(self._line.connection)
        else:
            self._line.connection.close()

    def drain(self) -> None:
        """Read what is left when it is little, and close."""
        view = memoryview(bytearray(4096))
        left = _DRAINED
        try:
            while left > 0 and (got := self.read_into(view)):
                left -= got
        finally:
            self.close()
