"""The file that collects the bytes. Written at any offset by many threads."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from pathlib import Path

from downloader.library.errors import DownloadError, NoSpace, StoreFailed

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CANNOT_RESERVE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def translated(error: OSError, path: Path) -> DownloadError:
    """What a disk says, with what to do about it."""
    facts = {"path": str(path)}
    if error.errno in _FULL:
        return NoSpace(
            "The disk is full. What was fetched is kept: free some space and start again.",
            details=facts,
        )
    if error.errno == errno.EFBIG:
        return StoreFailed(
            "The file is larger than this file system or account allows.", details=facts
        )
    why = error.strerror or type(error).__name__
    return StoreFailed(
        f"The disk refused: {why}. What was fetched is kept.",
        details={**facts, "errno": error.errno},
    )


def open_plain(path: Path, flags: int = 0) -> int:
    """A descriptor of a regular file of ours, made if need be: never through a link."""
    flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreFailed(
                "A link lies where a file is collected.", details={"path": str(path)}
            ) from None
        raise translated(error, path) from None
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    raise StoreFailed(
        "What lies where a file is collected is linked elsewhere, or no file.",
        details={"path": str(path)},
    )


class Part:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = open_plain(path)

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def reserve(self, size: int) -> None:
        """Make it `size` bytes long, the space taken at once where the file system can, so that a
        full disk shows now. What is there stays."""
        try:
            if self.size > size or not _allocate(self._descriptor, size):
                os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise translated(error, self.path) from None

    def write(self, view: memoryview, at: int) -> None:
        try:
            while view:
                count = os.pwrite(self._descriptor, view, at)
                view, at = view[count:], at + count
        except OSError as error:
            raise translated(error, self.path) from None

    def read(self, view: memoryview, at: int) -> int:
        """Bytes read into `view`: fewer than fit only at the end of the file."""
        done = 0
        try:
            while done < len(view):
                count = os.preadv(self._descriptor, [view[done:]], at + done)
                if not count:
                    break
                done += count
        except OSError as error:
            raise translated(error, self.path) from None
        return done

    def empty(self) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise translated(error, self.path) from None

    def close(self) -> None:
        os.close(self._descriptor)


def _allocate(descriptor: int, size: int) -> bool:
    """The bare system call: the C library would imitate it with a write to every block, which is
    as slow as it sounds on a network share."""
    if not sys.platform.startswith("linux") or not size:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    offset = ctypes.c_int64
    if libc.fallocate(descriptor, 0, offset(0), offset(size)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT_RESERVE:
        return False
    raise OSError(code, os.strerror(code))
