"""What an answer to a request for bytes means. Nothing here reads a body or changes anything."""

from __future__ import annotations

import re
from dataclasses import dataclass

from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    InvalidFile,
    NotFound,
    ProtocolViolation,
)
from downloader.library.http import Broken, Response
from downloader.library.http.responses import AGAIN
from downloader.library.http.waiting import asked_for_s

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_PAGES = ("text/html", "application/xhtml+xml")
_EXPIRED = {400, 401, 403, 410}
_NO_ACCESS = AccessNeeded, "a token, a login or a permission is missing"
_GONE = NotFound, "the file is not there"
_MEANINGS: dict[int, tuple[type[DownloadError], str]] = {
    304: (Broken, "nobody asked for that"),
    401: _NO_ACCESS,
    402: _NO_ACCESS,
    403: _NO_ACCESS,
    404: _GONE,
    410: _GONE,
    451: _NO_ACCESS,
}


class Changed(Exception):
    """The bytes upstream are others than those fetched before."""


class Expired(Exception):
    """A signed address is over; asking the source again gives a new one."""

    def __init__(self, status: int, shown: str) -> None:
        super().__init__(f"{shown} answered {status}")
        self.status = status


class RangeIgnored(Exception):
    """The whole file came in place of a part of it."""


class Busy(Exception):
    """The server is not well, or asks to come back later."""

    def __init__(self, status: int, shown: str, wait_s: float | None) -> None:
        super().__init__(f"{shown} answered {status}")
        self.status = status
        self.wait_s = wait_s


@dataclass(frozen=True)
class Validator:
    """A strong ETag; it means something only at the origin that gave it."""

    etag: str
    origin: str


@dataclass(frozen=True)
class Asked:
    """What a request was for, and what is known about the file."""

    path: str
    start: int
    end: int | None  # before which the span ends; None: no range was asked
    size: int | None
    validator: Validator | None
    conditional: bool  # If-Range went along
    proven: bool  # the source names a digest of the whole file
    accepts_html: bool


@dataclass(frozen=True)
class Given:
    """Which bytes come, and what they say about the file."""

    start: int
    end: int | None  # None: until the body ends
    size: int | None
    validator: Validator | None
    whole: bool
    ranges: bool  # the server offers ranges


def read(response: Response, asked: Asked, *, elsewhere: bool) -> Given:
    """The good answer, or the reason why it is none."""
    if response.status not in (200, 206):
        raise _bad(response, asked, elsewhere=elsewhere)
    _refuse_page(response, asked)
    validator = validator_of(response)
    _check_unchanged(asked, validator, str(response.address.origin))
    if response.status == 206:
        return _part(response, asked, validator)
    return _whole(response, asked, validator)


def validator_of(response: Response) -> Validator | None:
    etag = response.headers.get("etag", "")
    strong = len(etag) > 2 and etag[0] == etag[-1] == '"' and etag.isascii() and len(etag) < 300
    return Validator(etag, str(response.address.origin)) if strong else None


def _bad(response: Response, asked: Asked, *, elsewhere: bool) -> Exception:
    status, shown = response.status, response.address.shown
    if status in AGAIN:
        return Busy(status, shown, asked_for_s(response.headers))
    if status == 416:
        return Changed(f"{shown} has no such range")
    if elsewhere and status in _EXPIRED:
        return Expired(status, shown)
    kind, what = _MEANINGS.get(status, (ProtocolViolation, "that is no file"))
    return kind(
        f"{shown} answered {status}: {what}.", details={"path": asked.path, "status": status}
    )


def _refuse_page(response: Response, asked: Asked) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (
        kind in _PAGES
        and not asked.accepts_html
        and not asked.path.lower().endswith((".html", ".htm"))
    ):
        raise InvalidFile(
            f"{response.address.shown} answered with a web page in place of {asked.path!r}: it may "
            "ask for a login, a purchase or a licence click. Open it in a browser, or set a token.",
            details={"path": asked.path},
            visit=response.address.shown,
        )


def _check_unchanged(asked: Asked, now: Validator | None, origin: str) -> None:
    before = asked.validator
    if before is None:
        return
    if before.origin != origin:
        if not asked.proven:
            raise Changed("another host answers, and nothing proves that it has the same bytes")
    elif now is not None and now.etag != before.etag:
        raise Changed("the ETag is another")
    elif now is None and not asked.proven and not asked.conditional:
        raise Changed("the ETag is gone")


def _part(response: Response, asked: Asked, validator: Validator | None) -> Given:
    told = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    if told is None or asked.end is None:
        raise wrong("does not say which bytes it sends", asked)
    start, end = int(told[1]), int(told[2]) + 1
    size = None if told[3] == "*" else int(told[3])
    if start != asked.start or not start < end <= asked.end:
        raise wrong("sends other bytes than were asked for", asked)
    if response.length not in (None, end - start) or (size is not None and end > size):
        raise wrong("contradicts itself about the length", asked)
    if "content-encoding" in response.headers:
        raise wrong("sends a part of a compressed file", asked)
    _check_size(size, asked)
    return Given(start, end, size, validator, whole=False, ranges=True)


def _whole(response: Response, asked: Asked, validator: Validator | None) -> Given:
    length = response.length
    _check_size(length, asked)
    if length is None and asked.size is None and not asked.proven and not _is_delimited(response):
        raise ProtocolViolation(
            f"Neither server nor source says how long {asked.path!r} is: its end could not be "
            "told from a broken connection.",
            details={"path": asked.path},
        )
    offers = response.headers.get("accept-ranges", "").strip().lower() == "bytes"
    return Given(0, length, length, validator, whole=True, ranges=offers and length is not None)


def _is_delimited(response: Response) -> bool:
    return any(name in response.headers for name in ("transfer-encoding", "content-encoding"))


def _check_size(size: int | None, asked: Asked) -> None:
    if size is not None and asked.size is not None and size != asked.size:
        raise wrong(f"has {size} bytes where {asked.size} were announced", asked)


def wrong(what: str, asked: Asked) -> DownloadError:
    """A lie that may be gone the next time."""
    return Broken(f"The server {what}.", details={"path": asked.path, "lie": True})
