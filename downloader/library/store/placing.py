"""One link to a blob: hard where the file system allows, else relative and symbolic, else a
copy."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from downloader.library.checksums import Hashing
from downloader.library.errors import InvalidFile
from downloader.library.store import blobs, durability
from downloader.library.store.folders import Folder
from downloader.library.store.layout import Layout

# A share that knows no symlinks may also find the name invalid, or deny access to the operation.
CANNOT_LINK = durability.UNSUPPORTED | {errno.EINVAL, errno.EACCES}


class How(StrEnum):
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    COPY = "copy"


def place(layout: Layout, sha256: str, folder: Folder, name: str, final: Path) -> How:
    """Put the blob under `name`; `final` is where that will be seen when `folder` has been renamed,
    which is where a symlink has to fit."""
    with blobs.opened(layout, sha256) as (shelf, blob):
        ways: tuple[tuple[How, Callable[[], None]], ...] = (
            (How.HARDLINK, lambda: _hard(shelf, sha256, blob, folder, name)),
            (How.SYMLINK, lambda: _symbolic(layout.blob(sha256), final, folder, name)),
        )
        for how, attempt in ways:
            try:
                attempt()
            except OSError as error:
                if error.errno not in CANNOT_LINK:
                    raise
            else:
                return how
        _copy(sha256, blob, folder, name)
        return How.COPY


def _hard(shelf: Folder, sha256: str, blob: int, folder: Folder, name: str) -> None:
    """The link is to the very file that was opened, or there is none."""
    durability.link(shelf.descriptor, sha256, folder.descriptor, name)
    linked = folder.look(name)
    if linked is None or not os.path.samestat(linked, os.fstat(blob)):
        folder.forget(name)
        raise OSError(errno.ELOOP, "another file took the blob's place", name)


def _symbolic(blob: Path, final: Path, folder: Folder, name: str) -> None:
    durability.symlink(os.path.relpath(blob, final.parent), folder.descriptor, name)


def _copy(sha256: str, blob: int, folder: Folder, name: str) -> None:
    file = durability.make_file(folder.descriptor, name)
    try:
        _copy_bytes(blob, file, sha256)
        durability.sync(file)
        durability.protect(file)
    except BaseException:
        folder.forget(name)
        raise
    finally:
        os.close(file)


def _copy_bytes(source: int, target: int, sha256: str) -> None:
    hashing = Hashing(None)
    buffer = memoryview(bytearray(blobs.READ_BYTES))
    while count := os.readv(source, [buffer]):
        hashing.update(buffer[:count])
        durability.write(target, buffer[:count])
    if hashing.computed().sha256 != sha256:
        raise InvalidFile(
            f"The stored bytes of {sha256} are damaged. Verify the models and repair them.",
            details={"sha256": sha256},
        )


def is_placed(layout: Layout, sha256: str, size: int, folder: Folder, name: str) -> How | None:
    """How the blob lies under `name`: judged by inode, destination or size; None if it does not."""
    found = folder.look(name)
    if found is None:
        return None
    if stat.S_ISLNK(found.st_mode):
        return How.SYMLINK if _points_at(layout, sha256, size, folder, name) else None
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        return None
    with layout.blobs(sha256) as shelf:
        blob = shelf.look(sha256)
    return How.HARDLINK if blob and os.path.samestat(found, blob) else How.COPY


def _points_at(layout: Layout, sha256: str, size: int, folder: Folder, name: str) -> bool:
    destination = os.readlink(name, dir_fd=folder.descriptor)
    wanted = layout.blob(sha256)
    points = os.path.normpath(folder.path / destination) == os.path.normpath(wanted)
    return points and blobs.size(layout, sha256) == size
