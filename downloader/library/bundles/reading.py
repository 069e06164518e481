"""Opening a bundle: a folder or a tar, in which only what belongs to a bundle is looked at.

Nothing is ever unpacked to a name that the bundle chose: blobs are found by their digests and read
in place. Links are not followed, and a tar that holds anything but plain files and folders is
refused, whatever they are called.
"""

from __future__ import annotations

import os
import re
import stat
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from downloader.library import bundles
from downloader.library.errors import InvalidFile, NotFound
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.watch import Control

BLOCK = 512
MOST_MEMBERS = 1_000_000
MEMBER = re.compile(
    r"(?:\./)?(manifest\.json|manifest\.json\.sig|blobs/([0-9a-f]{2})/\2[0-9a-f]{62})"
)


@dataclass(frozen=True)
class Span:
    """A part of an open file."""

    file: int
    start: int
    size: int

    def read(self, at: int) -> bytes:
        """What comes at `at`; empty at the end."""
        left = min(bundles.READ_BYTES, self.size - at)
        return os.pread(self.file, left, self.start + at) if left > 0 else b""


class Bundle(ABC):
    """To be used within `with`."""

    def __init__(self, where: Path) -> None:
        self.where = where

    @abstractmethod
    def find(self, name: str) -> AbstractContextManager[Span]:
        """The bytes of a member; FileNotFoundError when there is none."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self, name: str) -> Iterator[Span]:
        """NotFound when there is no such member."""
        with told("reading", self.where), ExitStack() as stack:
            try:
                span = stack.enter_context(self.find(name))
            except FileNotFoundError as error:
                raise NotFound(f"{self.where} has no {name}: it is no whole bundle.") from error
            yield span

    def has(self, name: str) -> bool:
        try:
            with self.reading(name):
                return True
        except NotFound:
            return False

    def small(self, name: str, limit: int) -> bytes:
        with self.reading(name) as span:
            if span.size > limit:
                raise InvalidFile(
                    f"{name} of {self.where} has {span.size} bytes: no bundle needs so many."
                )
            parts: list[bytes] = []
            while part := span.read(sum(map(len, parts))):
                parts.append(part)
            return b"".join(parts)


def opened(path: Path, control: Control) -> Bundle:
    """NotFound when there is nothing; InvalidFile for what is neither a folder nor a tar."""
    with told("opening", path):
        try:
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"There is no bundle at {path}.") from error
        kind = os.fstat(file).st_mode
    if stat.S_ISDIR(kind):
        return FolderBundle(path, Folder(file, str(path)))
    if stat.S_ISREG(kind):
        try:
            return TarBundle(path, file, control)
        except BaseException:
            os.close(file)
            raise
    os.close(file)
    raise InvalidFile(f"{path} is neither a folder nor a tar.")


class FolderBundle(Bundle):
    def __init__(self, where: Path, folder: Folder) -> None:
        super().__init__(where)
        self._folder = folder

    def close(self) -> None:
        os.close(self._folder.descriptor)

    @contextmanager
    def find(self, name: str) -> Iterator[Span]:
        *parents, last = name.split("/")
        with self._folder.sub(*parents) as folder, folder.reading(last) as file:
            yield Span(file, 0, os.fstat(file).st_size)


class TarBundle(Bundle):
    """The headers are read once, one block each; nothing but the bytes that are asked for is read
    besides."""

    def __init__(self, where: Path, file: int, control: Control) -> None:
        super().__init__(where)
        self._file = file
        with told("reading", where):
            self._members = _members(where, file, control)

    def close(self) -> None:
        os.close(self._file)

    @contextmanager
    def find(self, name: str) -> Iterator[Span]:
        start, size = self._members.get(name, (0, -1))
        if size < 0:
            raise FileNotFoundError(name)
        yield Span(self._file, start, size)


def _members(where: Path, file: int, control: Control) -> Mapping[str, tuple[int, int]]:
    """Where the bytes of each begin, and how many they are."""
    end, at = os.fstat(file).st_size, 0
    found: dict[str, tuple[int, int]] = {}
    for _ in range(MOST_MEMBERS):
        control.check()
        header = _header(where, os.pread(file, BLOCK, at))
        if header is None:
            return found
        at += BLOCK
        if header.size < 0 or at + header.size > end:
            raise InvalidFile(f"{where} is cut off: copy the bundle again.")
        if not header.isdir():
            name = _checked_name(where, header, found)
            found[name] = (at, header.size)
            at += -(-header.size // BLOCK) * BLOCK
    raise InvalidFile(f"{where} holds more than {MOST_MEMBERS} files: that is no bundle.")


def _header(where: Path, block: bytes) -> tarfile.TarInfo | None:
    """None at the end of the archive."""
    if len(block) < BLOCK:  # not even the mark of the end came
        raise InvalidFile(f"{where} is cut off: copy the bundle again.")
    if not any(block):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise InvalidFile(f"{where} is not a tar, or is damaged: copy the bundle again.") from error


def _checked_name(where: Path, header: tarfile.TarInfo, found: Mapping[str, object]) -> str:
    shown = repr(header.name[:120])
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise InvalidFile(
            f"{where} holds {shown}, which is no plain file: a bundle has no links, devices or "
            "extended headers. Nothing was imported."
        )
    fits = MEMBER.fullmatch(header.name)
    if fits is None:
        raise InvalidFile(f"{where} holds {shown}, which is no part of a bundle.")
    if fits[1] in found:
        raise InvalidFile(f"{where} holds {shown} twice.")
    return fits[1]
