"""Wrong answers to a range."""

from __future__ import annotations

from dataclasses import dataclass

from tests.hubs import delivery
from tests.hubs.faults.base import Answer, Fault
from tests.hubs.messages import Request, Response


@dataclass(frozen=True)
class IgnoreRange(Fault):
    """200 and the whole file, whatever was asked."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request.without("range", "if-range"))


@dataclass(frozen=True)
class OtherStart(Fault):
    """206 with bytes from elsewhere; `honest`: Content-Range says so, else it claims the asked."""

    by: int = 1
    honest: bool = True

    def apply(self, request: Request, answer: Answer) -> Response:
        asked = answer(request)
        if asked.status != 206:
            return asked
        start = min(asked.start + self.by, asked.content.size - 1)
        stop = min(start + asked.body_size, asked.content.size)
        moved = delivery.partial(asked, max(start, 0), stop)
        return moved if self.honest else moved.having(content_range=asked.header("content-range"))


@dataclass(frozen=True)
class ShortRange(Fault):
    """206 with fewer bytes than asked: an honest shorter range and, with `close`, a clean close."""

    keep: int = 1
    close: bool = True

    def apply(self, request: Request, answer: Answer) -> Response:
        asked = answer(request)
        if asked.status != 206:
            return asked
        stop = min(asked.end, asked.start + self.keep)
        return delivery.partial(asked, asked.start, stop).by(close=self.close)


@dataclass(frozen=True)
class WholeAsPart(Fault):
    """206 with the whole file."""

    def apply(self, request: Request, answer: Answer) -> Response:
        whole = answer(request.without("range", "if-range"))
        return delivery.partial(whole, 0, whole.content.size)


@dataclass(frozen=True)
class Unsatisfiable(Fault):
    """416."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return delivery.unsatisfiable(answer(request).content.size)


@dataclass(frozen=True)
class NoContentRange(Fault):
    """206 that does not say which bytes these are."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).having(content_range=None)
