"""Wrong words about the right bytes: lengths, tags, names, encodings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from tests.hubs import delivery
from tests.hubs.content import Content
from tests.hubs.faults.base import Answer, Fault
from tests.hubs.messages import Request, Response


@dataclass
class ChangingEtag(Fault):
    """Another ETag on each request; the bytes stay."""

    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def apply(self, request: Request, answer: Answer) -> Response:
        right = answer(request.without("if-range"))
        return right.having(etag=f'"changed-{next(self._numbers)}"')


@dataclass(frozen=True)
class OtherVersion(Fault):
    """The file was replaced upstream: other bytes under another ETag, ranges and If-Range kept."""

    content: Content
    etag: str = "another-version"

    def apply(self, request: Request, answer: Answer) -> Response:
        before = answer(request)
        now = delivery.deliver(request, self.content, self.etag)
        return replace(now, headers={**before.headers, "Content-Range": "", **now.headers}).having(
            content_range=now.header("content-range")
        )


@dataclass(frozen=True)
class NoEtag(Fault):
    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request.without("if-range")).having(etag=None)


@dataclass(frozen=True)
class NotModified(Fault):
    """304 to somebody who did not ask for it."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return replace(answer(request), status=304)


@dataclass(frozen=True)
class WrongLength(Fault):
    """Content-Length announces `by` bytes more (the connection closes early) or fewer."""

    by: int = 1

    def apply(self, request: Request, answer: Answer) -> Response:
        response = answer(request)
        return response.by(length=max(0, response.body_size + self.by), close=True)


@dataclass(frozen=True)
class NoLength(Fault):
    """No length at all: the body ends with the connection. `cut_at` ends it early."""

    cut_at: int | None = None

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(framing="close", cut_at=self.cut_at, close=True)


@dataclass(frozen=True)
class Chunked(Fault):
    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).by(framing="chunked")


@dataclass(frozen=True)
class Gzip(Fault):
    """A compressed body, asked for or not; a range is not looked at."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return delivery.compressed(answer(request.without("range", "if-range")))


@dataclass(frozen=True)
class Disposition(Fault):
    """A Content-Disposition of the test's choice."""

    value: str

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).having(content_disposition=self.value)
