"""Claims: what an acquisition in progress needs, so that collection leaves it alone.

A claim is a sign under `.staging/claims/` that lists blobs, and files in the staging area. It is
written under the store's own lock, which collection holds while it looks and removes: a claim made
before that is seen, and one made after finds the blob gone and fetches it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from downloader.library.store import durability, signs
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import Layout
from downloader.library.store.locks import Lease
from downloader.library.store.signs import Heart, Sign

FOLDER = "claims"
SUFFIX = ".claim"
Guard = Callable[[], AbstractContextManager[Lease]]


class Claim:
    """Held open while something is fetched and installed. Safe to use from several threads."""

    def __init__(self, layout: Layout, heart: Heart, guard: Guard) -> None:
        self._layout = layout
        self._heart = heart
        self._guard = guard
        self._wanted = threading.Lock()
        self._writing = threading.Lock()
        self._blobs: set[str] = set()
        self._staged: set[str] = set()
        self._written: tuple[int, int] | None = None
        self._built = 0
        self.token = Sign.fresh().token

    def add(self, *, blobs: Iterable[str] = (), staged: Iterable[str] = ()) -> None:
        """When this returns, collection knows. What several threads add meanwhile is written at
        once."""
        with self._wanted:
            self._blobs.update(blobs)
            self._staged.update(staged)
        with self._writing:
            with self._wanted:
                count = (len(self._blobs), len(self._staged))
                if count == self._written:
                    return
                lists = {"blobs": sorted(self._blobs), "staged": sorted(self._staged)}
            with self._guard():
                self._write(Sign.of(self.token, **lists))
            self._written = count

    def build_name(self) -> str:
        """Of a directory in the staging area that is debris as soon as this claim is over."""
        with self._wanted:
            self._built += 1
            return f"build-{self.token}-{self._built}"

    def _write(self, sign: Sign) -> None:
        name = f"{self.token}{SUFFIX}"
        with self._folder() as folder:
            fresh = f"{name}.new"
            folder.forget(fresh)
            folder.write_new(fresh, sign.encoded(), sync=False)
            durability.rename(folder.descriptor, fresh, folder.descriptor, name)
            self._heart.keep(folder.path, name, sign)

    def close(self) -> None:
        self._heart.let_go(self.token)
        with self._folder() as folder:
            folder.forget(f"{self.token}{SUFFIX}")

    @contextmanager
    def _folder(self) -> Iterator[Folder]:
        names = (Layout.STAGING, FOLDER)
        path = self._layout.root.joinpath(*names)
        with told("claiming in", path), self._layout.below(*names) as folder:
            yield folder


@dataclass(frozen=True)
class Claimed:
    """What the living claims ask for; `tokens` are theirs, `over` are the files of the dead."""

    blobs: frozenset[str]
    staged: frozenset[str]
    tokens: frozenset[str]
    over: tuple[str, ...]


def read(folder: Folder, now: float) -> Claimed:
    """`now` is by the clock of the file system that holds the claims. Under the store's lock."""
    living: list[Sign] = []
    over: list[str] = []
    for name in folder.names():
        status, sign = folder.look(name), signs.read(folder, name)
        if status is None or sign is None:
            continue  # closed just now
        # Only who holds the store's lock writes here: one that is still new was never finished.
        unfinished = not name.endswith(SUFFIX)
        if unfinished or sign.gone() or now - status.st_mtime > signs.LONG_SILENCE_S:
            over.append(name)
        else:
            living.append(sign)
    return Claimed(
        frozenset(blob for sign in living for blob in sign.facts.get("blobs", ())),
        frozenset(name for sign in living for name in sign.facts.get("staged", ())),
        frozenset(sign.token for sign in living),
        tuple(over),
    )
