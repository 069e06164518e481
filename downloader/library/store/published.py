"""Folders of links that stand at their place: looked at, mended, removed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from downloader.library.store import blobs, durability, placing, trash
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import Layout, file_parts, view_parts
from downloader.library.store.placing import How
from downloader.library.watch import Control

SMALL_FILE_BYTES = 64 << 20


@contextmanager
def _parent(layout: Layout, final: PurePosixPath, path: str) -> Iterator[tuple[Folder, str]]:
    *parents, name = file_parts(path)
    with layout.below(*view_parts(final), *parents, create=False) as folder:
        yield folder, name


def placed(layout: Layout, sha256: str, size: int, final: PurePosixPath, path: str) -> How | None:
    with told("looking at", layout.root / final / path):
        try:
            with _parent(layout, final, path) as (folder, name):
                return placing.is_placed(layout, sha256, size, folder, name)
        except FileNotFoundError:
            return None


def hash_placed(layout: Layout, final: PurePosixPath, path: str, control: Control) -> str | None:
    """Only of a plain file: whatever else lies there is not what was installed."""
    with told("reading", layout.root / final / path):
        try:
            with _parent(layout, final, path) as (folder, name):
                found = folder.look(name)
                if found is None or not stat.S_ISREG(found.st_mode):
                    return None
                with folder.reading(name) as file:
                    return blobs.hash_open(file, (), control, lambda _count: None).sha256
        except FileNotFoundError:
            return None


def read_file(layout: Layout, final: PurePosixPath, path: str) -> bytes | None:
    with told("reading", layout.root / final / path):
        try:
            with _parent(layout, final, path) as (folder, name):
                return folder.read(name, SMALL_FILE_BYTES)
        except FileNotFoundError:
            return None


def unplace(layout: Layout, final: PurePosixPath, path: str) -> None:
    with (
        told("removing", layout.root / final / path),
        _parent(layout, final, path) as (folder, name),
    ):
        folder.forget(name)


def replace_link(layout: Layout, sha256: str, final: PurePosixPath, path: str, spare: str) -> How:
    """Put a whole link to the blob at `path` of a published folder, over whatever lies there."""
    *parents, name = file_parts(path)
    seen = layout.root.joinpath(*view_parts(final), path)
    with (
        told("repairing", seen),
        layout.staging() as staging,
        layout.below(*view_parts(final), *parents) as folder,
    ):
        how = placing.place(layout, sha256, staging, spare, seen)
        durability.rename(staging.descriptor, spare, folder.descriptor, name)
        durability.sync(folder.descriptor)
        staging.forget(spare)  # renaming one hard link of a file over another does nothing
        return how


def remove(layout: Layout, folder: PurePosixPath) -> bool:
    """Out of sight at once, then deleted; False if it was not there."""
    *parents, name = view_parts(folder)
    with told("removing", layout.root / folder):
        try:
            with layout.below(*parents, create=False) as parent:
                trash.throw(layout, parent, name)
                _drop_if_empty(layout, parents)
        except FileNotFoundError:
            return False
    trash.empty(layout)
    return True


def _drop_if_empty(layout: Layout, parents: list[str]) -> None:
    """The kind's or the author's folder goes with its last entry."""
    for depth in range(len(parents), 0, -1):
        with layout.below(*parents[: depth - 1], create=False) as above:
            try:
                durability.remove_folder(above.descriptor, parents[depth - 1])
            except OSError:
                return  # not empty: others live there
