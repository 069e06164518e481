"""Blobs whose bytes are not theirs any more: found by reading, taken out of sight, kept apart."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import PurePosixPath

from downloader.library import install, revisions
from downloader.library.checksums import Computed
from downloader.library.errors import InvalidFile, NotFound
from downloader.library.store import (
    MODEL_DESCRIPTOR,
    REVISION_DESCRIPTOR,
    Store,
    Suspect,
    quarantine,
)
from downloader.library.store.failures import told
from downloader.library.store.store import STORE_LOCK
from downloader.library.transfer.pace import Bucket
from downloader.library.watch import Control

BLOCK_BYTES = 1 << 20  # that a blob is read by, with a look at the control before each


class Paced(Control):
    """Slows whoever checks it before each block to `rate` bytes a second."""

    def __init__(self, inner: Control, rate: int) -> None:
        super().__init__()
        self._inner = inner
        self._bucket = Bucket(rate)

    def check(self) -> None:
        self._inner.check()
        wait_s = self._bucket.take(BLOCK_BYTES, time.monotonic())
        if wait_s > 0:
            self._inner.sleep(wait_s)


@dataclass(frozen=True)
class Verdict:
    """`computed` is None when the blob is absent."""

    sha256: str
    computed: Computed | None

    @property
    def whole(self) -> bool:
        return self.computed is not None and self.computed.sha256 == self.sha256

    @property
    def damaged(self) -> bool:
        return self.computed is not None and not self.whole


@dataclass(frozen=True)
class SetAside:
    """`models`: folders of installed models that show the damaged bytes, with their paths there."""

    quarantine_id: str
    revisions: tuple[str, ...]
    models: tuple[tuple[str, str], ...]


def examine(sha256: str, store: Store, control: Control) -> Verdict:
    """Read all of it."""
    try:
        return Verdict(sha256, store.hash_blob(sha256, (), control))
    except NotFound:
        return Verdict(sha256, None)


def set_aside(verdict: Verdict, store: Store, source_uri: str) -> SetAside:
    """No revision shows the bytes afterwards, and they are in quarantine."""
    if verdict.computed is None or verdict.whole:
        raise ValueError("the blob is not damaged")
    places = sorted(store.known().by_blob.get(verdict.sha256, ()))
    shown = [_folder(place) for place in places if place.endswith(REVISION_DESCRIPTOR)]
    models = [_folder(place) for place in places if place.endswith(MODEL_DESCRIPTOR)]
    names = [_withdraw(folder, verdict.sha256, store) for folder in shown]
    path = next((paths[0] for paths in names if paths), verdict.sha256)
    suspect = Suspect(
        path, source_uri, f"sha256:{verdict.sha256}", verdict.computed, quarantine.now()
    )
    with (
        store.lock(STORE_LOCK, Control()),
        told("putting into quarantine", store.blob(verdict.sha256)),
        store.layout.blobs(verdict.sha256) as shelf,
    ):
        id_ = quarantine.keep(store.layout, shelf, verdict.sha256, suspect)
    in_models = [(str(folder), p) for folder in models for p in _paths(folder, verdict, store)]
    return SetAside(id_, tuple(map(str, shown)), tuple(in_models))


def _folder(descriptor: str) -> PurePosixPath:
    return PurePosixPath(descriptor).parent


def _withdraw(folder: PurePosixPath, sha256: str, store: Store) -> list[str]:
    standing = revisions.standing_at(folder, store)
    paths = [f.path for f in standing.files if f.sha256 == sha256] if standing else []
    revisions.withdraw(folder, paths, store)
    return paths


def _paths(folder: PurePosixPath, verdict: Verdict, store: Store) -> list[str]:
    try:
        files = install.read(folder, store).files
    except (NotFound, InvalidFile):
        return []
    return [file.path for file in files if file.sha256 == verdict.sha256]
