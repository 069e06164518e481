"""An open directory, whose entries are reached through its descriptor and never through a symlink.

Only the root itself may be a link: the operator chose it. Below it, a name that turns out to be a
link is an error, or is treated as the foreign thing it is.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from downloader.library.store import durability

OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a planted FIFO must not hang us


class Folder:
    """`where` is for messages only."""

    def __init__(self, descriptor: int, where: str) -> None:
        self.descriptor = descriptor
        self.where = where

    @property
    def path(self) -> Path:
        return Path(self.where)

    @classmethod
    def at(cls, path: Path, *, create: bool = False) -> Folder:
        """The directory itself may be reached through links."""
        if create:
            path.mkdir(mode=durability.FOLDER_MODE, parents=True, exist_ok=True)
        return cls(os.open(path, OPEN), str(path))

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.descriptor)

    def sub(self, *names: str, create: bool = False) -> Folder:
        """The directory below, each step opened without following a link. A directory made here
        is durable before anything is put into it."""
        here = Folder(os.dup(self.descriptor), self.where)
        for name in names:
            with here:
                below = here._step(name, create)
            here = below
        return here

    def _step(self, name: str, create: bool) -> Folder:
        try:
            opened = self._open_folder(name)
        except FileNotFoundError:
            if not create:
                raise
            with suppress(FileExistsError):  # somebody else made it just now
                durability.make_folder(self.descriptor, name)
            durability.sync(self.descriptor)
            opened = self._open_folder(name)
        return Folder(opened, f"{self.where}/{name}")

    def _open_folder(self, name: str) -> int:
        return os.open(name, OPEN | os.O_NOFOLLOW, dir_fd=self.descriptor)

    def look(self, name: str) -> os.stat_result | None:
        """Of the entry itself, if there is one."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_file(self, name: str) -> bool:
        found = self.look(name)
        return found is not None and stat.S_ISREG(found.st_mode)

    def is_folder(self, name: str) -> bool:
        found = self.look(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.descriptor))  # noqa: PTH208  a descriptor is no path

    @contextmanager
    def reading(self, name: str) -> Iterator[int]:
        """A descriptor to read the regular file `name` by."""
        file = os.open(name, READ, dir_fd=self.descriptor)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.ELOOP, "not a regular file", name)
            yield file
        finally:
            os.close(file)

    def read(self, name: str, limit: int) -> bytes | None:
        """The first `limit` bytes; None when there is no such file."""
        try:
            with self.reading(name) as file:
                return _read(file, limit)
        except FileNotFoundError:
            return None

    def write_new(self, name: str, data: bytes, *, sync: bool = True) -> None:
        """A file that was not there; FileExistsError otherwise."""
        file = durability.make_file(self.descriptor, name)
        try:
            durability.write(file, data)
            if sync:
                durability.sync(file)
        finally:
            os.close(file)

    def replace(self, name: str, data: bytes) -> None:
        """The file holds the old bytes or the new ones, also after a power cut. One process at a
        time: the caller holds a lock."""
        fresh = f"{name}.new"
        self.forget(fresh)
        self.write_new(fresh, data)
        durability.rename(self.descriptor, fresh, self.descriptor, name)
        durability.sync(self.descriptor)

    def forget(self, name: str) -> None:
        """Remove the file, if it is there."""
        with suppress(FileNotFoundError):
            durability.unlink(self.descriptor, name)


def _read(file: int, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := os.read(file, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
