"""Looking at and opening files below a set of roots, and nowhere else.

A link is followed only to a place below the same roots, and only while looking. Opening walks down
from the root once more and follows no link at all, so that nothing can be swapped in between.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from downloader.library.errors import InvalidRef, NotFound, Refused
from downloader.library.watch import Control

MOST_FILES = 20_000
DEEPEST = 32
ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
DOWN = ROOT | os.O_NOFOLLOW
# A FIFO put in a file's place must not block the open.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
VARIABLE = "DF_DOWNLOAD_FILE_ROOTS"


@dataclass(frozen=True)
class Found:
    """A file: the path it shows, where it really lies, and the state it was seen in."""

    path: str
    real: Path
    size: int
    changed_ns: int
    state: str


class Roots:
    def __init__(self, folders: str) -> None:
        """Absolute folders, separated by commas."""
        self._roots = tuple(_root(folder) for folder in folders.split(",") if folder.strip())

    def find(self, target: str) -> Path:
        """The real place of `target`. What lies outside is refused in the same words whether it is
        there or not."""
        if not self._roots:
            raise Refused(f"No folder is open to file: references; name one in {VARIABLE}.")
        if not target.startswith("/") or "\0" in target:
            raise InvalidRef("A file: reference takes an absolute path, as in file:/models/x.")
        if ".." in PurePosixPath(target).parts:
            raise InvalidRef("The path of a file: reference has no '..' in it.")
        real = _real(Path(target))
        if real is None and self._above(Path(target)) is not None:
            raise NotFound(f"There is nothing at {target}.")
        if real is None or self._above(real) is None:
            raise Refused(
                f"{target} is not below a folder that is open to file: references; {VARIABLE} "
                "names those."
            )
        return real

    def look(self, top: Path, control: Control) -> Iterator[Found]:
        """The file at `top`, or every file below it."""
        kind = _status(top).st_mode
        if stat.S_ISREG(kind):
            yield _found(top.name, top)
        elif stat.S_ISDIR(kind):
            yield from self._below(top, control)
        else:
            raise Refused(f"{top} is neither a regular file nor a folder.")

    @contextlib.contextmanager
    def opened(self, real: Path) -> Iterator[int]:
        """A regular file below the roots, open for reading."""
        root = self._above(real)
        if root is None:
            raise Refused("Only files below the open folders are read.")
        handle = _descend(root, real)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Refused(f"{real} is not a regular file.")
            yield handle
        finally:
            os.close(handle)

    def _above(self, real: Path) -> Path | None:
        return next((root for root in self._roots if real.is_relative_to(root)), None)

    def _below(self, top: Path, control: Control) -> Iterator[Found]:
        for count, path in enumerate(_walk(top, control), 1):
            shown = path.relative_to(top).as_posix()
            if count > MOST_FILES:
                raise Refused(f"{top} holds more than {MOST_FILES} files: no model's folder.")
            real = _real(path)
            if real is None or self._above(real) is None:
                raise Refused(f"{shown!r} is a link that leads out of the open folders.")
            if not stat.S_ISREG(_status(real).st_mode):
                raise Refused(f"{shown!r} is not a regular file.")
            yield _found(shown, real)


def state_of(status: os.stat_result) -> str:
    """What changes when the file does, or when another one takes its place."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_dev}-{status.st_ino}"


def _root(text: str) -> Path:
    path = Path(text.strip())
    if not path.is_absolute():
        raise Refused(f"{VARIABLE} takes absolute folders, separated by commas.")
    return path.resolve()


def _real(path: Path) -> Path | None:
    """None: not there, not readable, or links in a circle."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _status(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error


def _walk(top: Path, control: Control, depth: int = 0) -> Iterator[Path]:
    """Everything below that is no folder; a link to a folder is shown, not entered."""
    if depth > DEEPEST:
        raise Refused(f"{top} lies more than {DEEPEST} folders deep.")
    control.check()
    for entry in _entries(top):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), control, depth + 1)
        else:
            yield Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise Refused(f"{folder} cannot be read: {error.strerror}.") from error


def _found(path: str, real: Path) -> Found:
    status = _status(real)
    return Found(path, real, status.st_size, status.st_mtime_ns, state_of(status))


def _descend(root: Path, real: Path) -> int:
    parts = real.relative_to(root).parts
    try:
        handle = os.open(root if parts else root.parent, ROOT)
        for number, part in enumerate(parts or (root.name,), 1):
            last = number == (len(parts) or 1)
            try:
                deeper = os.open(part, READ if last else DOWN, dir_fd=handle)
            finally:
                os.close(handle)
            handle = deeper
    except OSError as error:
        raise Refused(f"{real} cannot be read: {error.strerror}.") from error
    return handle
