"""Revision folders leave, several at once: only bytes that nothing else uses are freed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from downloader.library import revisions, strangers
from downloader.library.errors import InvalidFile
from downloader.library.install import Removed
from downloader.library.store import REVISION_DESCRIPTOR, How, Store, Terms
from downloader.library.watch import Control, Observer
from registry.descriptors import InstalledFile

QUIET = Observer()
Shown = tuple[PurePosixPath, tuple[InstalledFile, ...]]


def remove(folders: Iterable[PurePosixPath], store: Store, *, dry_run: bool = False) -> Removed:
    """A folder that is gone already is passed over. Files that nobody downloaded stay."""
    shown = [(folder, _files(folder, store)) for folder in sorted(set(folders))]
    links: Counter[str] = Counter()
    copies = 0
    for folder, files in shown:
        more, copied = _links(folder, files, store)
        links, copies = links + more, copies + copied
    wanted = {file.sha256 for _, files in shown for file in files}
    terms = Terms(dry_run=dry_run, grace_s=0.0, only=wanted)
    if dry_run:
        gone = {f"{folder}/{REVISION_DESCRIPTOR}" for folder, _ in shown}
        terms = replace(terms, without=gone, links=links)
    else:
        _remove(shown, store)
    collected = store.collect(terms)
    return Removed(copies + collected.freed_bytes, collected.blobs, collected.kept, dry_run)


def _files(folder: PurePosixPath, store: Store) -> tuple[InstalledFile, ...]:
    """None of a folder that cannot be read: its bytes are left to the next collection."""
    try:
        standing = revisions.read(folder, store)
    except InvalidFile:
        return ()
    return standing.files if standing else ()


def _links(
    folder: PurePosixPath, files: Iterable[InstalledFile], store: Store
) -> tuple[Counter[str], int]:
    """How many hard links to each blob go, and how many bytes of copies."""
    links: Counter[str] = Counter()
    copies = 0
    for file in files:
        how = store.placed(folder, file.path, file.sha256, file.size)
        links[file.sha256] += how is How.HARDLINK
        copies += file.size if how is How.COPY else 0
    return links, copies


def _remove(shown: Iterable[Shown], store: Store) -> None:
    for folder, files in shown:
        with store.lock(f"revision:{folder}", Control(), QUIET):
            strangers.remove_folder(store, folder, {file.path for file in files})
