"""Folders leave in two steps: out of sight by one rename, then deleted. Whatever lies in `.trash`
is deleted by the next who comes by."""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

from downloader.library.store import durability
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import Layout


def throw(layout: Layout, folder: Folder, name: str) -> str:
    """Out of sight at once; the answer is its name in the trash."""
    with layout.below(Layout.TRASH) as trash:
        thrown = uuid4().hex
        durability.rename(folder.descriptor, name, trash.descriptor, thrown)
        durability.sync(folder.descriptor)
        return thrown


def empty(layout: Layout) -> int:
    """Delete what lies in the trash, and say how much stayed. Others may be doing so too.

    What cannot be deleted now is no reason to fail what was done before: it stays out of sight, and
    collection tells of it.
    """
    with told("emptying", layout.root / Layout.TRASH), layout.below(Layout.TRASH) as trash:
        for name in trash.names():
            with suppress(OSError):
                _delete(trash, name)
        return len(trash.names())


def _delete(trash: Folder, name: str) -> None:
    if trash.is_folder(name):
        durability.delete_tree(trash.descriptor, name)
    else:
        durability.unlink(trash.descriptor, name)
