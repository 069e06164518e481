"""Making a bundle: every byte is hashed on its way out, so that nothing damaged leaves.

A folder is written blob by blob, the manifest last: an export that was stopped goes on where it
ended. A tar appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from downloader.library import bundles
from downloader.library.bundles.manifest import Manifest
from downloader.library.bundles.signing import Key
from downloader.library.errors import InvalidFile, NoSpace, NotFound, Refused
from downloader.library.store import Store
from downloader.library.store.failures import told
from downloader.library.watch import Control, FileProgress, FileState, Observer

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
BLOCK = tarfile.BLOCKSIZE
PARTIAL = ".part"
OURS = frozenset({"blobs", bundles.MANIFEST, bundles.SIGNATURE})
Write = Callable[[bytes], object]


@dataclass(frozen=True)
class Written:
    """`copied_bytes`: of blobs; what an earlier run had written is not among them."""

    where: Path
    copied_blobs: int
    copied_bytes: int


@dataclass(frozen=True)
class Making:
    """What is to be written, from where, and who is told."""

    manifest: Manifest
    key: Key
    store: Store
    control: Control
    observer: Observer


def write(made: Making, to: Path) -> Written:
    """Into a folder, or into a tar where the name says so. NoSpace before a byte is written."""
    with made.store.claim(made.manifest.blobs):
        return into_tar(made, to) if is_tar(to) else into_folder(made, to)


def is_tar(path: Path) -> bool:
    return path.suffix == ".tar"


def into_folder(made: Making, folder: Path) -> Written:
    """What lies there of an earlier export stays and is not written twice."""
    with told("writing", folder):
        _refuse_strangers(folder)
        wanted = {sha: s for sha, s in made.manifest.carried.items() if not _is_at(folder, sha, s)}
        _need_space(folder, sum(wanted.values()))
        for sha256, size in wanted.items():
            at = folder / bundles.blob_name(sha256)
            at.parent.mkdir(parents=True, exist_ok=True)
            with _appearing(at) as output:
                _pour(made, sha256, size, output.write)
        data = made.manifest.encoded()
        # The old signature goes first: at no moment does it stand beside another manifest.
        (folder / bundles.SIGNATURE).unlink(missing_ok=True)
        for name, content in _heads(made, data):
            with _appearing(folder / name) as output:
                output.write(content)
    return Written(folder, len(wanted), sum(wanted.values()))


def into_tar(made: Making, path: Path) -> Written:
    """Refused when there is a file of that name."""
    carried = made.manifest.carried
    with told("writing", path):
        if path.exists():
            raise Refused(f"{path} is there already: name another file, or remove it.")
        path.parent.mkdir(parents=True, exist_ok=True)
        _need_space(path.parent, sum(carried.values()) + 2 * BLOCK * len(carried))
        with _appearing(path) as output:
            for name, content in _heads(made, made.manifest.encoded()):
                output.write(_tar_header(name, len(content)))
                output.write(content)
                output.write(_padding(len(content)))
            for sha256, size in carried.items():
                output.write(_tar_header(bundles.blob_name(sha256), size))
                _pour(made, sha256, size, output.write)
                output.write(_padding(size))
            output.write(bytes(2 * BLOCK))
    return Written(path, len(carried), sum(carried.values()))


def _heads(made: Making, manifest: bytes) -> list[tuple[str, bytes]]:
    return [
        (bundles.MANIFEST, manifest),
        (bundles.SIGNATURE, made.key.signature_of(manifest)),
    ]


def _refuse_strangers(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    left_over = {f"{name}{PARTIAL}" for name in OURS}
    others = sorted({entry.name for entry in folder.iterdir()} - OURS - left_over)
    if others:
        raise Refused(
            f"{folder} holds {others[0][:120]!r}, which is no part of a bundle: name an empty "
            "folder, or one of an earlier export."
        )


def _is_at(folder: Path, sha256: str, size: int) -> bool:
    """A blob has its name only when all of it was written."""
    try:
        return (folder / bundles.blob_name(sha256)).lstat().st_size == size
    except FileNotFoundError:
        return False


def _need_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise NoSpace(
            f"{needed} bytes are to be written and {free} are free in {folder}: free "
            f"{needed - free} more, or export less.",
            details={"needed": needed, "free": free},
        )


@contextmanager
def _appearing(at: Path) -> Iterator[_Output]:
    """A file that gets its name when all of it is on the disk."""
    partial = at.with_name(at.name + PARTIAL)
    partial.unlink(missing_ok=True)
    file = os.open(partial, NEW, 0o644)
    try:
        yield _Output(file)
        os.fsync(file)
        partial.rename(at)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


class _Output:
    def __init__(self, file: int) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]


def _pour(made: Making, sha256: str, size: int, write: Write) -> None:
    """Write the blob; InvalidFile when the store does not hold what its name says."""
    name = made.manifest.named(sha256)
    hashing, done = hashlib.sha256(), 0
    with _blob(made, sha256, name) as file:
        while part := os.read(file, bundles.READ_BYTES):
            made.control.check()
            hashing.update(part)
            write(part)
            done += len(part)
            made.observer.file(FileProgress(sha256, FileState.DOWNLOADING, done, size, 0))
    if hashing.hexdigest() != sha256 or done != size:
        raise InvalidFile(
            f"The stored bytes of {name} are damaged; `manage.py model_verify --repair` or a "
            "forced download brings them back. Nothing was exported.",
            details={"path": name, "sha256": sha256},
        )
    made.observer.file(FileProgress(sha256, FileState.DONE, size, size, 0))


@contextmanager
def _blob(made: Making, sha256: str, name: str) -> Iterator[int]:
    try:
        file = os.open(made.store.blob(sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"The bytes of {name} are not here; download it again.") from error
    try:
        yield file
    finally:
        os.close(file)


def _tar_header(name: str, size: int) -> bytes:
    """The same bytes for the same file, whoever writes it and when."""
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o644
    return header.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)
