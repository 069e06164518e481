"""Of how many pieces a file is, counted before anybody decodes it: a reader spends microseconds on
each, and an upload has room for millions of empty ones."""

from __future__ import annotations

from collections.abc import Iterator

MOST = 20_000  # a PNG of the largest picture, written in pieces of 8 KiB, has fewer
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
START_OF_SCAN = 0xDA


def too_many(data: bytes) -> bool:
    return any(count > MOST for count, _ in enumerate(_parts(data), 1))


def _parts(data: bytes) -> Iterator[int]:
    """Where each piece begins, as far as the file is a PNG or JPEG; nothing of other files."""
    if data.startswith(PNG):
        return _chunks(data)
    return _segments(data) if data.startswith(JPEG) else iter(())


def _chunks(data: bytes) -> Iterator[int]:
    at = len(PNG)
    while at + 8 <= len(data):
        yield at
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _segments(data: bytes) -> Iterator[int]:
    """Up to where the picture itself begins; bytes between two segments count as pieces too."""
    at = len(JPEG)
    while at + 4 <= len(data):
        yield at
        if data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at += 1
        elif data[at + 1] == START_OF_SCAN:
            return
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
