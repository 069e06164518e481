"""Files in a folder of links that its descriptor does not name: somebody else put them there, so
nothing of ours throws them away."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from downloader.library.errors import AlreadyInstalled
from downloader.library.store import REVISION_DESCRIPTOR, Building, How, Store, durability
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import file_parts
from downloader.library.watch import Control
from registry.descriptors import InstalledFile

MOST_NAMED = 5
LINKED = (How.HARDLINK, How.SYMLINK)


def found(store: Store, folder: PurePosixPath, named: Collection[str]) -> list[str]:
    """The paths in the folder that are not `named`; none when the folder is not there."""
    with told("looking at", store.root / folder):
        try:
            with store.layout.below(*folder.parts, create=False) as opened:
                return [path for path in _paths(opened) if path not in named]
        except FileNotFoundError:
            return []


def _paths(folder: Folder, below: str = "") -> Iterator[str]:
    for name in folder.names():
        status = folder.look(name)
        if status is None or below + name == REVISION_DESCRIPTOR:
            continue
        if stat.S_ISDIR(status.st_mode):
            with folder.sub(name) as inner:
                yield from _paths(inner, f"{below}{name}/")
        else:
            yield below + name


def carry(
    store: Store,
    folder: PurePosixPath,
    named: Collection[str],
    coming: Iterable[InstalledFile],
    building: Building,
) -> None:
    """Link what is not `named` into the folder that will take its place. AlreadyInstalled when
    that cannot be: then nothing has changed."""
    strange = found(store, folder, named)
    if not strange:
        return
    wanted = {file.path: file for file in coming}
    own = [path for path in strange if path not in wanted]
    _refuse(store, folder, [path for path in strange if path in wanted], wanted)
    for path in own:
        *parents, name = path.split("/")
        with store.layout.below(*folder.parts, *parents, create=False) as place:
            if not building.carry(place, name, path):
                raise _in_the_way(folder, own)


def _refuse(
    store: Store,
    folder: PurePosixPath,
    paths: Iterable[str],
    wanted: Mapping[str, InstalledFile],
) -> None:
    """Files under names that are about to be given to others, unless they are these already."""
    other = []
    for path in paths:
        file = wanted[path]
        how = store.placed(folder, path, file.sha256, file.size)
        if how not in LINKED and (how is None or not _is_copy(store, folder, file)):
            other.append(path)
    if other:
        raise _in_the_way(folder, other)


def _is_copy(store: Store, folder: PurePosixPath, file: InstalledFile) -> bool:
    return store.hash_placed(folder, file.path, Control()) == file.sha256


def _in_the_way(folder: PurePosixPath, paths: list[str]) -> AlreadyInstalled:
    shown = ", ".join(paths[:MOST_NAMED]) + (" …" if len(paths) > MOST_NAMED else "")
    return AlreadyInstalled(
        f"Files that were not downloaded lie in {folder}: {shown}. Scan the folder, or move them "
        "away.",
        details={"path": str(folder), "files": paths[:MOST_NAMED]},
    )


def remove_folder(store: Store, folder: PurePosixPath, named: Collection[str]) -> bool:
    """As `Store.remove_folder`, but what is not `named` stays where it is."""
    if not found(store, folder, named):
        return store.remove_folder(folder)
    for path in (*sorted(named), REVISION_DESCRIPTOR):
        with told("removing", store.root / folder / path):
            _drop(store, folder, path)
    return True


def _drop(store: Store, folder: PurePosixPath, path: str) -> None:
    *parents, name = file_parts(path)
    try:
        with store.layout.below(*folder.parts, *parents, create=False) as place:
            place.forget(name)
        for depth in range(len(parents), 0, -1):
            with store.layout.below(*folder.parts, *parents[: depth - 1], create=False) as above:
                durability.remove_folder(above.descriptor, parents[depth - 1])
    except OSError:
        return  # gone already, or others are in the folder
