"""A file over HTTP: ranges, conditions, compression, as the real stores answer them."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace

from tests.hubs.content import Content, InMemory
from tests.hubs.messages import Request, Response, text

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Unsatisfiable(Exception):
    """The range begins behind the end of the file."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, stop) of a range; None where the whole file is the right answer: no header, a form
    that is not understood, several ranges at once."""
    match = RANGE.fullmatch((header or "").strip())
    if not match or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0:
            raise Unsatisfiable
        return max(0, size - int(last)), size
    start, stop = int(first), min(int(last) + 1 if last else size, size)
    if start >= size:
        raise Unsatisfiable
    return (start, stop) if start < stop else None


def deliver(
    request: Request, content: Content, etag: str, *, compressible: bool = False, **headers: str
) -> Response:
    """The file, or the part of it that was asked for. `etag` is without its quotes."""
    quoted = f'"{etag}"'
    whole = Response(200, {"Content-Type": "application/octet-stream"}, content)
    whole = whole.having(etag=quoted, accept_ranges="bytes", **headers)
    if quoted in (request.header("if-none-match") or ""):
        return replace(whole, status=304, content=InMemory(b""))
    if compressible and "gzip" in (request.header("accept-encoding") or ""):
        return compressed(whole)
    if request.header("if-range") not in (None, quoted):
        return whole
    try:
        span = parse_range(request.header("range"), content.size)
    except Unsatisfiable:
        return unsatisfiable(content.size)
    return whole if span is None else partial(whole, *span)


def partial(whole: Response, start: int, stop: int) -> Response:
    """206 with the bytes from `start` to before `stop`."""
    span = f"bytes {start}-{stop - 1}/{whole.content.size}"
    part = replace(whole, status=206, start=start, stop=stop)
    return part.having(content_range=span)


def unsatisfiable(size: int) -> Response:
    return text("", 416, content_range=f"bytes */{size}")


def compressed(response: Response) -> Response:
    """The body as gzip, without a length; a range is not looked at, like the real hub does it."""
    body = response.content.read(response.start, response.end)
    packed = InMemory(gzip.compress(body, compresslevel=1, mtime=0))
    return (
        replace(response, status=200, content=packed, start=0, stop=None)
        .having(content_encoding="gzip", vary="Accept-Encoding", content_range=None)
        .by(framing="chunked")
    )
