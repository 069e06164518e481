"""What a hub serves: bytes of a known length, readable from anywhere, the same every time.

Held in memory, lying on disk (sent by sendfile), made on the spot (`Generated`: any size, no
memory), or several of these one after the other (`Joined`).
"""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path

PIECE = 1 << 20
UNIT = 1 << 18  # a stamp, then a slice of the pool
POOL = random.Random("the pool of generated content").randbytes(PIECE + UNIT)
STAMP = struct.Struct(">QQ")


class Content(ABC):
    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes in all."""

    @abstractmethod
    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        """The bytes from `start` to before `stop`, none of the pieces above `PIECE`."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Differs where the bytes differ, known without reading them all."""

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        return b"".join(self.pieces(start, self.size if stop is None else stop))

    @cached_property
    def sha256(self) -> str:
        return _digest("sha256", self)

    @cached_property
    def md5(self) -> str:
        return _digest("md5", self)

    @cached_property
    def git_sha1(self) -> str:
        """The name git gives these bytes as a blob."""
        return _digest("sha1", self, b"blob %d\0" % self.size)

    @cached_property
    def crc32(self) -> str:
        value = 0
        for piece in self.pieces(0, self.size):
            value = zlib.crc32(piece, value)
        return f"{value:08x}"


def _digest(algorithm: str, content: Content, prefix: bytes = b"") -> str:
    digest = hashlib.new(algorithm, prefix, usedforsecurity=False)
    for piece in content.pieces(0, content.size):
        digest.update(piece)
    return digest.hexdigest()


class InMemory(Content):
    def __init__(self, data: bytes) -> None:
        self._view = memoryview(data)

    @property
    def size(self) -> int:
        return len(self._view)

    @property
    def identity(self) -> str:
        return self.sha256

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        for begin in range(start, stop, PIECE):
            yield self._view[begin : min(begin + PIECE, stop)]


class OnDisk(Content):
    """A file that does not change while it is served; the wire sends it without reading it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = path.stat().st_size

    @property
    def size(self) -> int:
        return self._size

    @property
    def identity(self) -> str:
        ends = self.read(0, min(UNIT, self._size)) + self.read(max(0, self._size - UNIT))
        return f"{self._size}:{hashlib.sha256(ends).hexdigest()}"

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        with self.path.open("rb") as file:
            file.seek(start)
            for begin in range(start, stop, PIECE):
                yield memoryview(file.read(min(PIECE, stop - begin)))


@dataclass(frozen=True)
class Generated(Content):
    """Bytes made on the spot: no two places of a file are alike, no two seeds either."""

    length: int
    seed: int = 0

    @property
    def size(self) -> int:
        return self.length

    @property
    def identity(self) -> str:
        return repr(self)

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        for begin in range(start, stop, PIECE):
            end = min(begin + PIECE, stop)
            first, last = begin // UNIT, (end - 1) // UNIT
            made = memoryview(b"".join(self._units(first, last)))
            yield made[begin - first * UNIT : end - first * UNIT]

    def _units(self, first: int, last: int) -> Iterator[bytes | memoryview]:
        for number in range(first, last + 1):
            yield STAMP.pack(self.seed, number)
            offset = (number * 12289 + self.seed * 7919) % PIECE
            yield memoryview(POOL)[offset : offset + UNIT - STAMP.size]

    @cached_property
    def sha256(self) -> str:
        return _sha256_of_generated(self)


@cache
def _sha256_of_generated(content: Generated) -> str:
    return _digest("sha256", content)


class Joined(Content):
    """One after the other: a small header and a body of any size."""

    def __init__(self, *parts: Content) -> None:
        self._parts = parts
        self._ends = list(accumulate(part.size for part in parts))

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def identity(self) -> str:
        return "+".join(part.identity for part in self._parts)

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        for part, end in zip(self._parts, self._ends, strict=True):
            begin = end - part.size
            low, high = max(start, begin), min(stop, end)
            if low < high:
                yield from part.pieces(low - begin, high - begin)


EMPTY = InMemory(b"")


def as_content(value: Content | bytes | str | Path) -> Content:
    """Text becomes UTF-8, a path the file that lies there."""
    if isinstance(value, Content):
        return value
    if isinstance(value, Path):
        return OnDisk(value)
    return InMemory(value.encode() if isinstance(value, str) else value)
