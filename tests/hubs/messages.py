"""A request as it arrived and a response as it shall leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hubs.content import EMPTY, Content, InMemory

STEP = 1 << 18


@dataclass(frozen=True)
class Request:
    """`path` is decoded; `segments` keep an encoded slash inside their segment. `subject` names the
    file in question ("author/repo/a.safetensors"), `delivers`: its bytes were asked for."""

    origin: str
    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""
    connection: int = 0
    subject: str = ""
    delivers: bool = False

    @property
    def raw_path(self) -> str:
        return urlsplit("http://host" + self.target).path

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(unquote(segment) for segment in self.raw_path.strip("/").split("/"))

    @property
    def queries(self) -> Mapping[str, list[str]]:
        query = urlsplit("http://host" + self.target).query
        return parse_qs(query, keep_blank_values=True)

    def query(self, name: str, default: str = "") -> str:
        return self.queries.get(name, [default])[-1]

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    def without(self, *names: str) -> Request:
        dropped = {name.lower() for name in names}
        kept = {name: value for name, value in self.headers.items() if name not in dropped}
        return replace(self, headers=kept)

    @property
    def bearer(self) -> str | None:
        """The token of the Authorization header; None without one."""
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


@dataclass(frozen=True)
class Way:
    """How a body crosses the wire. Positions count from the first byte of this body, only `flip_at`
    from the first byte of the file."""

    length: int | None = None  # announced instead of the true one
    framing: str = "length"  # or "chunked", or "close": no length at all
    delay_s: float = 0  # before the first byte of the answer
    rate: float | None = None  # bytes per second of this connection
    step: int = STEP  # bytes sent at a time, under a rate
    stall_at: int | None = None
    stall_s: float = 0
    cut_at: int | None = None  # a clean close
    reset_at: int | None = None
    flip_at: int | None = None
    extra: bytes = b""
    close: bool = False  # after the answer, without a word about it


@dataclass(frozen=True)
class Response:
    """`start` and `stop` bound the part of the content that is the body. `raw` replaces the whole
    answer, status line included; empty bytes close the connection without one."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content = EMPTY
    start: int = 0
    stop: int | None = None
    way: Way = Way()
    raw: bytes | None = None

    @property
    def end(self) -> int:
        return self.content.size if self.stop is None else self.stop

    @property
    def body_size(self) -> int:
        return self.end - self.start

    def having(self, **headers: str | None) -> Response:
        """With these headers; underscores are dashes, None removes one."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in changed}
        new = {
            "-".join(word.capitalize() for word in name.split("-")): value
            for name, value in changed.items()
            if value is not None
        }
        return replace(self, headers=kept | new)

    def by(self, **way: Any) -> Response:
        return replace(self, way=replace(self.way, **way))

    def header(self, name: str) -> str | None:
        found = (value for key, value in self.headers.items() if key.lower() == name.lower())
        return next(found, None)


class Refused(Exception):
    """A request is answered with an error from the depth of a handler."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status}")
        self.response = response


def text(
    words: str, status: int = 200, kind: str = "text/plain; charset=utf-8", **headers: str
) -> Response:
    return Response(status, {"Content-Type": kind}, InMemory(words.encode())).having(**headers)


def html(page: str, status: int = 200) -> Response:
    return text(page, status, "text/html; charset=utf-8")


def as_json(value: object, status: int = 200, **headers: str) -> Response:
    return text(json.dumps(value), status, "application/json; charset=utf-8", **headers)


def redirect(status: int, location: str, **headers: str) -> Response:
    return text(f"Redirecting to {location.partition('?')[0]}", status).having(
        location=location, **headers
    )
