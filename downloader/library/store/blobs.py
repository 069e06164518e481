"""Blobs: the bytes of every file, once, under their SHA-256.

A blob appears by one rename, of bytes that were hashed, flushed and made read-only before. So a
blob that is there is whole, whoever wrote it, and two who write the same one do no harm.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from downloader.library.checksums import Computed, Hashing, Trust
from downloader.library.errors import NotFound, StoreFailed
from downloader.library.store import durability
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import Layout
from downloader.library.watch import Control

READ_BYTES = 1 << 20
SYNCS_AT_ONCE = 8
LEDGER = ".ledger"
Read = Callable[[int], None]


def size(layout: Layout, sha256: str) -> int | None:
    """Of the blob by that name, whose bytes `verify` would read; None when it is absent."""
    with told("looking at", layout.blob(sha256)):
        try:
            with layout.blobs(sha256, create=False) as folder:
                return _size(folder, sha256)
        except FileNotFoundError:
            return None


def _size(folder: Folder, name: str) -> int | None:
    found = folder.look(name)
    return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None


def adopt(
    layout: Layout, source: Folder, name: str, computed: Computed, *, settle: bool = True
) -> Path:
    """Make a blob of the file `name` in `source`, which is gone afterwards, and its ledger too. A
    blob of these bytes that is there already stays."""
    target = layout.blob(computed.sha256)
    with told("storing", target), layout.blobs(computed.sha256) as folder:
        if _size(folder, computed.sha256) != computed.size:
            _seal(source, name, computed)
            _appear(source, name, folder, computed)
        if settle:
            durability.sync(folder.descriptor)
        source.forget(name)
        source.forget(name + LEDGER)
    return target


def _appear(source: Folder, name: str, folder: Folder, computed: Computed) -> None:
    try:
        durability.rename_new(source.descriptor, name, folder.descriptor, computed.sha256)
    except FileExistsError:
        if _size(folder, computed.sha256) != computed.size:  # damaged, or no file at all
            durability.rename(source.descriptor, name, folder.descriptor, computed.sha256)


def _seal(source: Folder, name: str, computed: Computed) -> None:
    """On the disk for good, and read-only, before it gets its name."""
    with source.reading(name) as file:
        size = os.fstat(file).st_size
        if size != computed.size:
            raise StoreFailed(
                f"{name} has {size} bytes on the disk and had {computed.size} when it was hashed. "
                "Start again.",
                details={"size": size, "hashed": computed.size},
            )
        durability.sync(file)
        durability.touch(file)  # young from now on: see collection's grace
        durability.protect(file)


def settle(layout: Layout, digests: Iterable[str]) -> None:
    """Make the names of blobs durable that were adopted without that; one sync a directory, several
    at a time: a disk answers those together."""

    def sync(sha256: str) -> None:
        with told("storing", layout.blob(sha256)), layout.blobs(sha256) as folder:
            durability.sync(folder.descriptor)

    one_of_each = {digest[:2]: digest for digest in digests}.values()
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        for _ in pool.map(sync, sorted(one_of_each)):
            pass


@contextmanager
def opened(layout: Layout, sha256: str) -> Iterator[tuple[Folder, int]]:
    """The directory of the blob, and a descriptor to read it by; NotFound when it is absent."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(layout.blobs(sha256, create=False))
            file = stack.enter_context(folder.reading(sha256))
        except FileNotFoundError as error:
            raise NotFound(
                f"The bytes of {sha256} are not in the store. Download the model again.",
                details={"sha256": sha256},
            ) from error
        yield folder, file


def verify(layout: Layout, sha256: str, control: Control, read: Read) -> Trust | None:
    """Read the blob and compare: `verified`, `mismatch`, or None when it is absent."""
    try:
        with told("reading", layout.blob(sha256)), opened(layout, sha256) as (_, file):
            computed = hash_open(file, (), control, read)
    except NotFound:
        return None
    return Trust.VERIFIED if computed.sha256 == sha256 else Trust.MISMATCH


def hash_open(file: int, algorithms: Iterable[str], control: Control, read: Read) -> Computed:
    """Hash an open file; `read` is told how many bytes came each time."""
    hashing = Hashing(os.fstat(file).st_size, algorithms)
    buffer = memoryview(bytearray(READ_BYTES))
    while count := os.readv(file, [buffer]):
        control.check()
        hashing.update(buffer[:count])
        read(count)
    return hashing.computed()


def each(layout: Layout) -> Iterator[tuple[Folder, str]]:
    """Every blob, with its open directory."""
    try:
        with layout.below(Layout.BLOBS, "sha256", create=False) as top:
            for prefix in top.names():
                with top.sub(prefix) as folder:
                    yield from ((folder, name) for name in folder.names())
    except FileNotFoundError:
        return
