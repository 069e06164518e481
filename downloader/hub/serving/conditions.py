"""What of a file a request asks for (RFC 9110, sections 13 and 14): functions of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.generation import ranges
from jobs.generation.ranges import Part, Unsatisfiable

OK, PARTIAL, NOT_MODIFIED, BEYOND = 200, 206, 304, 416


@dataclass(frozen=True)
class Asked:
    """`part` is the whole file, a part of it, or None where no bytes are sent."""

    status: int
    part: Part | None


def read(headers: Mapping[str, str], etag: str, size: int) -> Asked:
    """`etag` with its quotation marks."""
    if _matches(headers.get("If-None-Match"), etag):
        return Asked(NOT_MODIFIED, None)
    wanted = headers.get("Range")
    if headers.get("If-Range", etag).strip() != etag:
        wanted = None
    try:
        part = ranges.parse(wanted, size)
    except Unsatisfiable:
        return Asked(BEYOND, None)
    return Asked(OK, Part(0, size, size)) if part is None else Asked(PARTIAL, part)


def _matches(sent: str | None, etag: str) -> bool:
    """Whether the client has this version; a weak tag is as good here."""
    named = [tag.strip().removeprefix("W/") for tag in (sent or "").split(",")]
    return "*" in named or etag in named
