"""Every call by which the store changes a disk, in one place.

The order that survives a power cut is always the same: write, `sync` the file, take the right to
write away, rename, `sync` the directory. Tests replace these functions to record that order, to
fill the disk, or to kill the process between any two of them.

Names are single components, resolved against an open directory, so that nobody who swaps a
directory for a symlink moves where they end.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

BLOB_MODE = 0o444
FILE_MODE = 0o644
FOLDER_MODE = 0o755
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
NO_REPLACE, EXCHANGE = 1, 2  # the flags of renameat2(2)
# A file system that cannot do it says one of these.
UNSUPPORTED = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV, errno.EMLINK}
)


def make_file(folder: int, name: str, mode: int = FILE_MODE) -> int:
    """A descriptor of a file that was not there; nothing that is there is ever opened."""
    return os.open(name, NEW, mode, dir_fd=folder)


def make_folder(folder: int, name: str) -> None:
    os.mkdir(name, FOLDER_MODE, dir_fd=folder)


def write(file: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def overwrite(file: int, data: bytes, offset: int) -> None:
    os.pwrite(file, data, offset)


def sync(file: int) -> None:
    """Of a file or a directory. Directories of some network shares cannot be synced: their server
    orders renames itself, and says so with EINVAL."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in UNSUPPORTED | {errno.EINVAL}:
            raise


def touch(file: int) -> None:
    os.utime(file)


def protect(file: int) -> None:
    """Read-only. A share without permissions of its own refuses, and is as it is."""
    try:
        os.fchmod(file, BLOB_MODE)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def rename(source: int, old: str, target: int, new: str) -> None:
    os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)


def rename_new(source: int, old: str, target: int, new: str) -> None:
    """FileExistsError when the new name is taken; where the file system cannot refuse that, what
    is there is replaced."""
    if not _rename2(source, old, target, new, NO_REPLACE):
        rename(source, old, target, new)


def exchange(source: int, old: str, target: int, new: str) -> bool:
    """Swap two names in one step; False where the file system cannot."""
    return _rename2(source, old, target, new, EXCHANGE)


def _rename2(source: int, old: str, target: int, new: str, flag: int) -> bool:
    call = _renameat2()
    if call is None:
        return False
    if call(source, os.fsencode(old), target, os.fsencode(new), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in UNSUPPORTED | {errno.EINVAL}:
        return False
    raise OSError(code, os.strerror(code), new)


def link(source: int, old: str, target: int, new: str) -> None:
    os.link(old, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)


def symlink(destination: str, folder: int, name: str) -> None:
    os.symlink(destination, name, dir_fd=folder)


def unlink(folder: int, name: str) -> None:
    os.unlink(name, dir_fd=folder)


def remove_folder(folder: int, name: str) -> None:
    """An empty one."""
    os.rmdir(name, dir_fd=folder)


def delete_tree(folder: int, name: str) -> None:
    """A directory and all below it; links are removed, never followed. Another may be deleting it
    too."""
    shutil.rmtree(name, dir_fd=folder, onerror=_unless_gone)


def _unless_gone(_call: object, _path: str, raised: tuple[Any, BaseException, Any]) -> None:
    if not isinstance(raised[1], FileNotFoundError):
        raise raised[1]


@cache
def _renameat2() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    call.restype = ctypes.c_int
    return call  # type: ignore[no-any-return]
