"""A folder of links that appears whole: built in the staging area, flushed, and renamed."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from downloader.library.errors import AlreadyInstalled, UnsafeName
from downloader.library.store import durability, placing, trash
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import Layout, file_parts, view_parts
from downloader.library.store.placing import How

OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


class Building:
    """`place` and `write` what belongs in the folder, then `publish` it once."""

    def __init__(self, layout: Layout, name: str, final: PurePosixPath) -> None:
        self._layout = layout
        self._name = name
        self._parts = view_parts(final)
        self.final = layout.root.joinpath(*self._parts)
        self._folders: set[tuple[str, ...]] = {()}

    def place(self, sha256: str, path: str) -> How:
        """A link to the blob at `path`, relative to the folder."""
        with self._parent(path) as (folder, name):
            try:
                return placing.place(self._layout, sha256, folder, name, self.final / path)
            except FileExistsError as error:
                raise _collision(path, self.final) from error

    def write(self, path: str, data: bytes) -> None:
        """A small file, flushed."""
        with self._parent(path) as (folder, name):
            try:
                folder.write_new(name, data)
            except FileExistsError as error:
                raise _collision(path, self.final) from error

    def carry(self, place: Folder, name: str, path: str) -> bool:
        """One more name, at `path`, for a file that somebody else put into `place`; False where
        the file system has no such thing."""
        with self._parent(path) as (folder, target):
            try:
                durability.link(place.descriptor, name, folder.descriptor, target)
            except OSError as error:
                if error.errno not in durability.UNSUPPORTED:
                    raise
                return False
            return True

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[Folder, str]]:
        *parents, name = file_parts(path)
        with (
            told("building", self.final),
            self._layout.below(Layout.STAGING, self._name, *parents) as folder,
        ):
            yield folder, name
        self._folders.update(tuple(parents[:depth]) for depth in range(len(parents) + 1))

    def publish(self, *, replace: bool = False, check: Callable[[], None] = lambda: None) -> None:
        """Rename the folder to its place. `check` is the last chance to object.

        AlreadyInstalled when something stands there, unless `replace`: then the two are exchanged
        and the old one is deleted.
        """
        with told("publishing", self.final), self._layout.staging() as staging:
            self._sync(staging)
            try:
                self._appear(staging, replace, check)
            except FileNotFoundError:  # the kind's folder went, with its last model, just now
                self._appear(staging, replace, check)
        trash.empty(self._layout)

    def _appear(self, staging: Folder, replace: bool, check: Callable[[], None]) -> None:
        *parents, name = self._parts
        with self._layout.below(*parents) as parent:
            _refuse_other_spelling(parent, name)
            check()
            self._move(staging, parent, name, replace)
            durability.sync(parent.descriptor)

    def _sync(self, staging: Folder) -> None:
        """Every directory made here, the deepest first."""
        for parts in sorted(self._folders, key=len, reverse=True):
            with staging.sub(self._name, *parts) as folder:
                durability.sync(folder.descriptor)

    def _move(self, staging: Folder, parent: Folder, name: str, replace: bool) -> None:
        here, there = staging.descriptor, parent.descriptor
        try:
            durability.rename(here, self._name, there, name)
        except OSError as error:
            if error.errno not in OCCUPIED:
                raise
            if not replace:
                raise AlreadyInstalled(
                    f"{self.final} is there already.", details={"path": str(self.final)}
                ) from error
            if durability.exchange(here, self._name, there, name):
                trash.throw(self._layout, staging, self._name)
            else:
                trash.throw(self._layout, parent, name)
                durability.rename(here, self._name, there, name)

    def abandon(self) -> None:
        """Remove what was built, if it is still there."""
        with told("removing", self.final), self._layout.staging() as staging:
            if staging.is_folder(self._name):
                durability.delete_tree(staging.descriptor, self._name)


def _collision(path: str, final: Path) -> UnsafeName:
    return UnsafeName(
        f"{path!r} meets another file of {final.name} that this disk takes for the same name. "
        "Leave one of them out of the selection.",
        details={"path": path},
    )


def _refuse_other_spelling(parent: Folder, name: str) -> None:
    """On a disk that does not tell upper from lower case, a folder may answer to our name that was
    made under another."""
    if parent.look(name) is None or name in parent.names():
        return
    spelled = [other for other in parent.names() if other.casefold() == name.casefold()]
    raise AlreadyInstalled(
        f"This disk takes {name!r} for {', '.join(map(repr, spelled)) or 'another name'}, which is "
        "there already. Choose another name or version.",
        details={"name": name, "there": spelled},
    )
