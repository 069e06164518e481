"""Files and folders of this machine: `file:/absolute/path[#patterns]`, below the folders that the
operator opened. With none open, nothing is allowed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from downloader.library.checksums import Computed, Hashing
from downloader.library.errors import NoSpace, NotFound, Refused, StoreFailed
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.remote import Location, RemoteFile, Resolved
from downloader.library.sources.base import Source
from downloader.library.sources.describing import describe
from downloader.library.sources.filetypes import format_of, type_of
from downloader.library.sources.local_files import Found, Roots, state_of
from downloader.library.transfer import Engine, Fetched, Target
from downloader.library.watch import Control, FileProgress, FileState, Observer
from registry.descriptors import Descriptor

PIECE = 1 << 20
VERSION_LENGTH = 12
FULL = (errno.ENOSPC, errno.EDQUOT)


class LocalFiles(Source):
    """Settings: `roots`, absolute folders separated by commas."""

    scheme: ClassVar[str] = "file"
    label: ClassVar[str] = "This machine"

    def __init__(self, client: Client, settings: Mapping[str, str]) -> None:
        super().__init__(client, settings)
        self._roots = Roots(settings.get("roots", ""))

    def resolve(self, ref: Ref, control: Control) -> Resolved:
        top = self._roots.find(ref.target)
        found = sorted(self._roots.look(top, control), key=lambda file: file.path)
        if not found:
            raise NotFound(f"There are no files in {ref.target}.")
        commit = _fingerprint(found)
        return Resolved(
            ref=ref,
            source_uri=str(ref),
            repo_id=str(top),
            author="",
            title=top.name,
            commit=commit,
            files=tuple(_file(file) for file in found),
            name=(top.stem if top.is_file() else top.name) or "model",
            version=commit[:VERSION_LENGTH],
            notes=("The files are copied; the originals stay as they are.",),
        )

    def locate(self, resolved: Resolved, file: RemoteFile) -> Location:
        """Where it lies. No HTTP client takes this address: `fetch` copies."""
        return Location(Path(file.key).as_uri())

    def fetch(
        self,
        engine: Engine,
        resolved: Resolved,
        targets: Mapping[str, Target],
        control: Control,
        observer: Observer,
    ) -> Mapping[str, Fetched]:
        """Copy, hashing on the way. A file that changed since `resolve` stops it."""
        files = {file.path: file for file in resolved.files}
        fetched = {}
        for path, target in targets.items():
            computed = self._copy(files[path], target.part, control, observer)
            fetched[path] = Fetched(
                part=target.part, computed=computed, received=0, file_name=None, etag=None
            )
        return fetched

    def to_model_descriptor(self, resolved: Resolved) -> Descriptor:
        return describe(resolved, source="file")

    def _copy(self, file: RemoteFile, part: Path, control: Control, observer: Observer) -> Computed:
        hashing, done = Hashing(file.size, ()), 0
        with self._roots.opened(Path(file.key)) as source, _written(part) as target:
            _same(source, file)
            observer.file(_progress(file, FileState.DOWNLOADING, 0))
            for piece in _pieces(source, file):
                control.check()
                _write_all(target, piece)
                hashing.update(piece)
                done += len(piece)
                observer.file(_progress(file, FileState.DOWNLOADING, done))
            _same(source, file)
        observer.file(_progress(file, FileState.DONE, done))
        return hashing.computed()


def _fingerprint(found: Iterable[Found]) -> str:
    """Stands for the content: names, sizes, times of change. To hash gigabytes before they are
    copied would read them twice; the copy is hashed."""
    digest = hashlib.sha256()
    for file in found:
        line = f"{file.path}\0{file.size}\0{file.changed_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _file(found: Found) -> RemoteFile:
    name = format_of(found.path)
    return RemoteFile(
        path=found.path,
        key=str(found.real),
        size=found.size,
        etag=found.state,
        type=type_of(found.path),
        facts={"format": name} if name else {},
    )


def _same(source: int, file: RemoteFile) -> None:
    if state_of(os.fstat(source)) != file.etag:
        raise Refused(f"{file.path} has changed since it was looked at. Start again.")


def _pieces(source: int, file: RemoteFile) -> Iterator[bytes]:
    """At most one byte more than was announced: a file that grows as fast as it is read ends."""
    left = (file.size or 0) + 1
    try:
        while left > 0 and (piece := os.read(source, min(PIECE, left))):
            left -= len(piece)
            yield piece
    except OSError as error:
        raise Refused(f"{file.path} cannot be read: {error.strerror}.") from error


@contextlib.contextmanager
def _written(part: Path) -> Iterator[int]:
    """The part, empty, open for writing."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _disk(error) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _write_all(target: int, piece: bytes) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[os.write(target, rest) :]
    except OSError as error:
        raise _disk(error) from error


def _disk(error: OSError) -> NoSpace | StoreFailed:
    if error.errno in FULL:
        return NoSpace("The disk of the models is full. Make room, then start again.")
    return StoreFailed(f"The models' folder cannot be written: {error.strerror}.")


def _progress(file: RemoteFile, state: FileState, done: int) -> FileProgress:
    return FileProgress(path=file.path, state=state, done=done, size=file.size, received=0)
