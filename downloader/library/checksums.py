"""Digests of files: computed once, in the same pass as the bytes, and judged in one place."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from downloader.library.errors import InvalidFile
from downloader.library.watch import Control

HEX_DIGITS: Final = {"sha256": 64, "git-sha1": 40, "blake3": 64, "crc32": 8, "autov2": 10}
STRONG: Final = frozenset({"sha256", "git-sha1", "blake3"})
READ_BYTES: Final = 1024 * 1024


class Trust(StrEnum):
    """`unverified`: never compared. The rest says what the comparison gave."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    LOCAL = "local"
    MISMATCH = "mismatch"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True)
class Digest:
    """A digest that a source names; `value` is lower-case hex of the algorithm's length."""

    algorithm: str
    value: str

    def __post_init__(self) -> None:
        digits = HEX_DIGITS.get(self.algorithm)
        if digits is None:
            raise ValueError(f"Not a known digest algorithm: it is one of {', '.join(HEX_DIGITS)}.")
        object.__setattr__(self, "value", self.value.strip().lower())
        if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", self.value):
            raise ValueError(f"A {self.algorithm} digest has {digits} hexadecimal digits.")

    @property
    def strong(self) -> bool:
        """Whether equality proves that the bytes are the same."""
        return self.algorithm in STRONG

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


@dataclass(frozen=True)
class Computed:
    """What the bytes are. A digest that nobody asked for, or that could not be made, is None."""

    size: int
    sha256: str
    git_sha1: str | None = None
    blake3: str | None = None
    crc32: str | None = None

    def value(self, algorithm: str) -> str | None:
        values = {
            "sha256": self.sha256,
            "autov2": self.sha256[: HEX_DIGITS["autov2"]],
            "git-sha1": self.git_sha1,
            "blake3": self.blake3,
            "crc32": self.crc32,
        }
        return values[algorithm]


def judge(expected: Digest | None, computed: Computed) -> Trust:
    """Compare. Only a whole digest verifies: a CRC or ten digits of one can only disprove.

    `unverified` when the source names a digest that was not computed: then nothing is known.
    """
    if expected is None:
        return Trust.LOCAL
    ours = computed.value(expected.algorithm)
    if ours is None:
        return Trust.UNVERIFIED if expected.strong else Trust.LOCAL
    if ours != expected.value:
        return Trust.MISMATCH
    return Trust.VERIFIED if expected.strong else Trust.LOCAL


class Hashing:
    """One pass over the bytes, in order, for SHA-256 and whatever else `algorithms` asks.

    `size` is what the source announced. A git digest covers the size, so there is none when the
    size was not known, or was not true. The hash functions let other threads run.
    """

    def __init__(self, size: int | None, algorithms: Iterable[str] = ()) -> None:
        self._announced = size
        self._size = 0
        self._sha256 = hashlib.sha256()
        asked = set(algorithms)
        if unknown := asked - HEX_DIGITS.keys():
            raise ValueError(f"Not a known digest algorithm: {', '.join(sorted(unknown))}.")
        self._git = _git_blob(size) if "git-sha1" in asked and size is not None else None
        self._blake3 = _blake3() if "blake3" in asked else None
        self._crc32 = 0 if "crc32" in asked else None

    def update(self, piece: bytes | bytearray | memoryview) -> None:
        self._size += memoryview(piece).nbytes
        for hasher in (self._sha256, self._git, self._blake3):
            if hasher is not None:
                hasher.update(piece)
        if self._crc32 is not None:
            self._crc32 = zlib.crc32(piece, self._crc32)

    def computed(self) -> Computed:
        """The digests of the bytes so far; more may follow."""
        git = self._git if self._size == self._announced else None
        return Computed(
            size=self._size,
            sha256=self._sha256.hexdigest(),
            git_sha1=git.hexdigest() if git else None,
            blake3=self._blake3.hexdigest() if self._blake3 else None,
            crc32=None if self._crc32 is None else f"{self._crc32:08x}",
        )


def hash_file(
    path: str | os.PathLike[str], algorithms: Iterable[str] = (), control: Control | None = None
) -> Computed:
    """Hash what is on disk, following links, with flat memory. An OSError is passed on as it is."""
    # O_NONBLOCK: a pipe that lies where a file should be must not hold us for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise InvalidFile(f"{Path(path).name!r} is not a regular file.")
        hashing = Hashing(facts.st_size, algorithms)
        buffer = memoryview(bytearray(READ_BYTES))
        while count := source.readinto(buffer):
            if control is not None:
                control.check()
            hashing.update(buffer[:count])
    return hashing.computed()


def _git_blob(size: int) -> Any:
    """SHA-1 as git names a blob by; it guards against damage, which is what it is published for."""
    hasher = hashlib.sha1(usedforsecurity=False)
    hasher.update(b"blob %d\0" % size)
    return hasher


def _blake3() -> Any:
    """The hasher of the package `blake3`; None where it is not installed."""
    try:
        return import_module("blake3").blake3()
    except ImportError:
        return None
