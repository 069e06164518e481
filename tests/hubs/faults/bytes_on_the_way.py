"""What happens to the bytes on the way: silence, drops, cuts, noise."""

from __future__ import annotations

from dataclasses import dataclass

from tests.hubs.faults.base import Answer, Fault
from tests.hubs.messages import Request, Response


@dataclass(frozen=True)
class Stall(Fault):
    """Silence: before the first byte of the answer, or behind `at` bytes of the body."""

    seconds: float = 3600
    at: int | None = None

    def apply(self, request: Request, answer: Answer) -> Response:
        if self.at is None:
            return answer(request).by(delay_s=self.seconds)
        return answer(request).by(stall_at=self.at, stall_s=self.seconds)


@dataclass(frozen=True)
class Drip(Fault):
    """`step` bytes every `seconds`."""

    step: int = 1
    seconds: float = 0.1

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(rate=self.step / self.seconds, step=self.step)


@dataclass(frozen=True)
class RateCap(Fault):
    """So many bytes per second on each connection."""

    rate: float

    def apply(self, request: Request, answer: Answer) -> Response:
        step = max(1, min(1 << 18, int(self.rate / 50)))
        return answer(request).by(rate=self.rate, step=step)


@dataclass(frozen=True)
class Reset(Fault):
    """RST behind `at` bytes of the body."""

    at: int = 0

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(reset_at=self.at)


@dataclass(frozen=True)
class Truncated(Fault):
    """A clean close behind `at` bytes of the body, whatever was announced."""

    at: int = 0

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(cut_at=self.at)


@dataclass(frozen=True)
class Extra(Fault):
    """More bytes than announced."""

    data: bytes = b"bytes nobody announced"

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(extra=self.data, close=True)


@dataclass(frozen=True)
class FlippedBit(Fault):
    """One bit is wrong in the byte at `at` of the file, in whichever range it travels."""

    at: int = 0

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(flip_at=self.at)


@dataclass(frozen=True)
class SilentClose(Fault):
    """The answer is right, then the connection closes without a word: a keep-alive race."""

    of_body = False

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(close=True)


@dataclass(frozen=True)
class Raw(Fault):
    """These bytes in place of an answer; none closes the connection at once."""

    of_body = False
    data: bytes = b""

    def apply(self, request: Request, answer: Answer) -> Response:
        return Response(raw=self.data)
