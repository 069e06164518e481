"""The head of an answer, read strictly. What two readers could take for two different things
(a folded line, two lengths, a length beside chunks) is refused, not guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from downloader.library.errors import ProtocolViolation

LONGEST = 64 * 1024
MOST_LINES = 100

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n\x00]*)?\r\n")
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")


class Headers(Mapping[str, str]):
    """By name in any case; several of one name are joined by commas."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._lines = lines

    def __getitem__(self, name: str) -> str:
        return self._lines[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._lines)})"  # names only: a value may be a secret


@dataclass(frozen=True)
class Head:
    status: int
    headers: Headers
    length: int | None  # of the body as sent; None: chunked, or until the connection ends
    chunked: bool
    keeps_alive: bool


def parse(raw: bytes) -> Head:
    """`raw` ends with the empty line."""
    status = _STATUS.match(raw)
    if status is None:
        raise ProtocolViolation("The server does not speak HTTP/1.1.")
    lines = _lines(raw, status.end())
    headers = Headers(lines)
    code, minor = int(status[2]), int(status[1])
    length, chunked = _framing(headers)
    if code in {204, 304} or code < 200:
        length, chunked = 0, False
    return Head(code, headers, length, chunked, _keeps_alive(headers, minor))


def _lines(raw: bytes, at: int) -> dict[str, str]:
    found: dict[str, str] = {}
    end = len(raw) - 2
    for count in range(MOST_LINES + 1):
        if at == end:
            return found
        line = _LINE.match(raw, at)
        if line is None:
            raise ProtocolViolation("The server sent a header that is not one.")
        name, value = line[1].decode("ascii").lower(), line[2].decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
        at = line.end()
        if count == MOST_LINES:
            break
    raise ProtocolViolation(f"The server sent more than {MOST_LINES} headers.")


def _framing(headers: Headers) -> tuple[int | None, bool]:
    coding = headers.get("transfer-encoding")
    lengths = {part.strip() for part in headers.get("content-length", "").split(",")} - {""}
    if coding is not None:
        if lengths or coding.strip().lower() != "chunked":
            raise ProtocolViolation("The server frames its answer in two ways at once.")
        return None, True
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise ProtocolViolation("The server sent a wrong Content-Length.")
    return (int(lengths.pop()) if lengths else None), False


def _keeps_alive(headers: Headers, minor: int) -> bool:
    options = {part.strip().lower() for part in headers.get("connection", "").split(",")}
    return "keep-alive" in options if minor == 0 else "close" not in options
