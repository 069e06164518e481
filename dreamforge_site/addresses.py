"""Addresses people type, read whole or refused in a sentence that repeats nothing of them.

Python's own errors quote what they stumble over, and that is where a password stands.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

UNREADABLE = (
    "got an address that cannot be read (a password's / ? # @ : are written %2F %3F %23 %40 %3A)"
)


def split(text: str) -> SplitResult:
    """The parts of an address whose port is a number."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  read for its error
    except ValueError:
        raise ValueError(UNREADABLE) from None
    return parts


def server(text: str) -> SplitResult:
    """The parts of a server's address; an `@` in its path is the rest of a password."""
    parts = split(text)
    if "@" in parts.path or parts.fragment or re.search(r"\s", text):
        raise ValueError(UNREADABLE)
    return parts
