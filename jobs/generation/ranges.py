"""`Range: bytes=…` of one file (RFC 9110, section 14): a function of values."""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII)


@dataclass(frozen=True)
class Part:
    """`length` bytes from `start` of a file of `size`."""

    start: int
    length: int
    size: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"


class Unsatisfiable(Exception):
    """The range begins after the end of the file; `code` is a word of the API's table."""

    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        self.message = f"The range begins after the end of the file, which has {size} bytes."
        self.details = {"size_bytes": size}
        super().__init__(self.message)


def parse(header: str | None, size: int) -> Part | None:
    """None: the whole file, because none was asked for, several were, or nobody can read it."""
    found = ONE_RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # the last N bytes
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        end = min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
        length = end - start + 1
    if length <= 0 or start >= size:
        raise Unsatisfiable(size)
    return Part(start, length, size)
