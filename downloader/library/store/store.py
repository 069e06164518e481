"""The store: one object for a models root, which is all that other modules use."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from downloader.library.checksums import Computed, Digest, Trust
from downloader.library.errors import UnsafeName
from downloader.library.store import (
    blobs,
    collection,
    notes,
    placing,
    published,
    quarantine,
    references,
    trash,
)
from downloader.library.store.building import Building
from downloader.library.store.claims import Claim
from downloader.library.store.collection import Collected, Terms
from downloader.library.store.failures import told
from downloader.library.store.layout import Layout
from downloader.library.store.locks import Lease, Locks
from downloader.library.store.notes import Notes
from downloader.library.store.placing import How
from downloader.library.store.quarantine import Override, Suspect
from downloader.library.store.references import References
from downloader.library.store.signs import Heart, Rhythm
from downloader.library.transfer.options import Target
from downloader.library.watch import Control, FileProgress, FileState, Observer

STORE_LOCK = "store"
QUIET = Observer()
COMMON_TERMS = Terms()


@dataclass(frozen=True)
class Usage:
    """`free_bytes` is None on a share that does not say."""

    blobs: int
    blob_bytes: int
    staging_bytes: int
    quarantine: int
    quarantine_bytes: int
    free_bytes: int | None


class Store:
    """Several processes, on several machines, may each have one for the same root. Its directories
    are made when they are needed; looking makes none. Safe to use from several threads."""

    def __init__(self, root: Path, *, rhythm: Rhythm | None = None) -> None:
        self.root = root
        self.layout = Layout(root)
        self._heart = Heart(rhythm or Rhythm())
        self._locks = Locks(root, self._heart, rhythm or Rhythm())

    # Blobs

    def blob(self, sha256: str) -> Path:
        return self.layout.blob(sha256)

    def has(self, sha256: str, size: int | None) -> bool:
        """By name and size; `verify` reads the bytes."""
        found = self.size(sha256)
        return found is not None and size in (None, found)

    def size(self, sha256: str) -> int | None:
        """Of a blob; None when it is absent."""
        return blobs.size(self.layout, sha256)

    def adopt(self, part: Path, computed: Computed, *, settle: bool = True) -> Path:
        """Make a blob of a staged file: flushed, read-only, renamed, its directory flushed (unless
        `settle` is False: then call `settle` before anything refers to it)."""
        with self.layout.staging() as staging:
            return blobs.adopt(self.layout, staging, self._staged(part), computed, settle=settle)

    def settle(self, digests: Iterable[str]) -> None:
        blobs.settle(self.layout, digests)

    def verify(
        self,
        sha256: str,
        control: Control | None = None,
        observer: Observer = QUIET,
        *,
        path: str | None = None,
        size: int | None = None,
    ) -> Trust | None:
        """Read the blob: `verified`, `mismatch`, or None when it is absent. The observer is told
        about `path`."""
        done = 0

        def read(count: int) -> None:
            nonlocal done
            done += count
            observer.file(FileProgress(path or sha256, FileState.DOWNLOADING, done, size, 0))

        return blobs.verify(self.layout, sha256, control or Control(), read)

    def hash_blob(self, sha256: str, algorithms: Iterable[str], control: Control) -> Computed:
        """Other digests of the blob; NotFound when it is absent."""
        with (
            told("reading", self.blob(sha256)),
            blobs.opened(self.layout, sha256) as (_, file),
        ):
            return blobs.hash_open(file, algorithms, control, lambda _count: None)

    def drop(self, sha256: str) -> None:
        """Remove a blob that `verify` found damaged, so that it is fetched again."""
        with (
            told("removing", self.blob(sha256)),
            self.layout.blobs(sha256, create=False) as folder,
        ):
            folder.forget(sha256)

    # Staging

    def target(self, key: str) -> Target:
        """Where the bytes of `key` are collected, by this process or a later one."""
        return self.targets([key])[key]

    def targets(self, keys: Iterable[str]) -> dict[str, Target]:
        """What is there and is not a plain file of ours is removed: it is never written through."""
        names = {key: hashlib.sha256(key.encode()).hexdigest()[:40] + ".part" for key in keys}
        place = self.root / Layout.STAGING
        with told("preparing", place), self.layout.staging() as staging:
            there = set(staging.names())
            wanted = [entry for name in names.values() for entry in (name, name + blobs.LEDGER)]
            for entry in there.intersection(wanted):
                found = staging.look(entry)
                if found and (not staging.is_file(entry) or found.st_nlink != 1):
                    trash.throw(self.layout, staging, entry)
        return {key: Target(part=place / name) for key, name in names.items()}

    def forget(self, target: Target) -> None:
        """Remove what was collected there."""
        self.forget_part(target.part)

    def forget_part(self, part: Path) -> None:
        with told("removing", part), self.layout.staging() as staging:
            name = self._staged(part)
            staging.forget(name)
            staging.forget(name + blobs.LEDGER)

    def staged_bytes(self, targets: Iterable[Target]) -> dict[Target, int]:
        """How much of the disk each partial file has taken already."""
        with told("looking at", self.root / Layout.STAGING), self.layout.staging() as staging:
            found = {target: staging.look(target.part.name) for target in targets}
        return {target: look.st_blocks * 512 if look else 0 for target, look in found.items()}

    def note(self, lock: str, found: Mapping[str, str]) -> None:
        """For the next run: the SHA-256 of finished files, by identity. The caller holds `lock`."""
        with told("noting in", self.root / Layout.STAGING), self.layout.staging() as staging:
            notes.add(staging, lock, found)

    def notes(self, locks: Iterable[str]) -> Notes:
        """What was noted under these locks."""
        found: dict[bytes, str] = {}
        with told("reading", self.root / Layout.STAGING), self.layout.staging() as staging:
            for lock in locks:
                found |= notes.read(staging, lock)
        return Notes(found)

    def forget_notes(self, locks: Iterable[str]) -> None:
        """They are needed no more: descriptors tell."""
        with told("tidying", self.root / Layout.STAGING), self.layout.staging() as staging:
            for lock in locks:
                staging.forget(notes.file_name(lock))

    def _staged(self, part: Path) -> str:
        if part.parent != self.root / Layout.STAGING:
            raise UnsafeName("Only a file of the staging area can become a blob.")
        return part.name

    # Locks and claims

    def lock(
        self, name: str, control: Control, observer: Observer = QUIET
    ) -> AbstractContextManager[Lease]:
        """Alone among all processes and machines; waits, and says so."""
        return self._locks.hold(name, control, observer)

    def lock_now(self, name: str) -> Lease | None:
        """The lock if it is free; `let_go` of it."""
        return self._locks.take_now(name)

    def lock_wait(self, name: str, control: Control, observer: Observer) -> Lease:
        """The lock, however long it takes; `let_go` of it."""
        return self._locks.take(name, control, observer)

    def let_go(self, lease: Lease) -> None:
        self._locks.let_go(lease)

    def _alone(self) -> AbstractContextManager[Lease]:
        return self._locks.hold(STORE_LOCK, Control(), QUIET)

    @contextmanager
    def claim(self, wanted: Iterable[str] = ()) -> Iterator[Claim]:
        """Blobs that nobody collects while this is open. Also removes what the dead left."""
        self._sweep()
        claim = Claim(self.layout, self._heart, self._alone)
        try:
            claim.add(blobs=wanted)
            yield claim
        finally:
            claim.close()

    def _sweep(self) -> None:
        with told("tidying", self.root), self._alone():
            now = collection.clock(self.layout)
            collection.sweep(self.layout, collection.claimed(self.layout, now))
        self._locks.sweep(now)
        trash.empty(self.layout)

    # Folders of links

    @contextmanager
    def build(self, final: PurePosixPath, claim: Claim) -> Iterator[Building]:
        """A folder below the root that appears whole when it is published, or not at all. Its blobs
        are in `claim`."""
        made = Building(self.layout, claim.build_name(), final)
        try:
            yield made
        finally:
            made.abandon()

    def place(self, sha256: str, at: Path) -> How:
        """One link to the blob, at a path below the root where nothing is."""
        *parents, name = at.relative_to(self.root).parts
        with told("linking", at), self.layout.below(*parents) as folder:
            return placing.place(self.layout, sha256, folder, name, at)

    def placed(self, folder: PurePosixPath, path: str, sha256: str, size: int) -> How | None:
        """How the blob lies at `path` of a published folder; None if it does not. A copy is judged
        by its size: `hash_placed` reads it."""
        return published.placed(self.layout, sha256, size, folder, path)

    def hash_placed(self, folder: PurePosixPath, path: str, control: Control) -> str | None:
        """The SHA-256 of a plain file of a published folder; None when there is none."""
        return published.hash_placed(self.layout, folder, path, control)

    def replace_link(self, folder: PurePosixPath, path: str, sha256: str, claim: Claim) -> How:
        """Put a link to the blob at `path` of a published folder, over whatever lies there."""
        return published.replace_link(self.layout, sha256, folder, path, claim.build_name())

    def unplace(self, folder: PurePosixPath, path: str) -> None:
        """Remove one file of a published folder, if it is there."""
        published.unplace(self.layout, folder, path)

    def read_file(self, folder: PurePosixPath, name: str) -> bytes | None:
        """A small file of a published folder, such as its descriptor; None if there is none."""
        return published.read_file(self.layout, folder, name)

    def remove_folder(self, folder: PurePosixPath) -> bool:
        """False if it was not there. Its blobs stay, until they are collected."""
        return published.remove(self.layout, folder)

    # Quarantine

    def quarantine(
        self, part: Path, *, path: str, source_uri: str, expected: Digest | None, computed: Computed
    ) -> str:
        """Move a staged file out of the way; the answer is its id there."""
        suspect = Suspect(
            path, source_uri, str(expected) if expected else None, computed, quarantine.now()
        )
        with self._alone(), self.layout.staging() as staging:
            return quarantine.keep(self.layout, staging, self._staged(part), suspect)

    def quarantined(self, after: str = "", most: int | None = None) -> dict[str, Suspect | None]:
        """By id, in their order; None where the record cannot be read."""
        return quarantine.held(self.layout, after, most)

    def suspect(self, id_: str) -> Suspect | None:
        """One in quarantine; None where there is none, or none whose record can be read."""
        return quarantine.record(self.layout, id_)

    def release(
        self, id_: str, *, by: str, reason: str, control: Control | None = None
    ) -> Computed:
        """Trust these bytes for this file from now on; they become a blob."""
        suspect = quarantine.examine(self.layout, id_, control or Control())
        with self.claim([suspect.computed.sha256]), self._alone():
            quarantine.release(self.layout, suspect, by=by, reason=reason)
        return suspect.computed

    def discard(self, id_: str) -> int:
        """How many bytes that were."""
        return quarantine.discard(self.layout, id_)

    def overrides(self) -> list[Override]:
        return quarantine.overrides(self.layout)

    # What is needed, and what is not

    def references(self) -> dict[str, set[str]]:
        """The descriptors, as paths below the root, that name each blob; read from the disk."""
        return self.known().by_blob

    def known(self) -> References:
        with told("reading the descriptors below", self.root):
            return references.read(self.layout)

    def collect(self, terms: Terms = COMMON_TERMS) -> Collected:
        """Remove blobs that nothing needs, and debris. Refuses nothing and breaks nothing while
        others download."""
        if not terms.dry_run:
            trash.empty(self.layout)
        with told("collecting in", self.root), self._alone() as lease:
            collected = collection.collect(self.layout, lease, terms)
            now = collection.clock(self.layout)
            if not terms.dry_run:
                collection.clear_quarantine_leftovers(self.layout, now)
        if terms.dry_run:
            return collected
        self._locks.sweep(now)
        return replace(collected, trash=trash.empty(self.layout))

    def free_bytes(self) -> int | None:
        """For files of ours; None where the file system does not say."""
        place = self.root
        while not place.exists() and place != place.parent:
            place = place.parent
        with told("asking for the free space of", place):
            facts = os.statvfs(place)
        return facts.f_bavail * facts.f_frsize if facts.f_blocks else None

    def usage(self) -> Usage:
        sizes = [folder.look(name) for folder, name in blobs.each(self.layout)]
        kept = [suspect for suspect in self.quarantined().values() if suspect]
        with self.layout.staging() as staging:
            staged = [staging.look(name) for name in staging.names()]
        return Usage(
            blobs=len(sizes),
            blob_bytes=sum(found.st_size for found in sizes if found),
            staging_bytes=sum(found.st_blocks * 512 for found in staged if found),
            quarantine=len(self.quarantined()),
            quarantine_bytes=sum(suspect.size for suspect in kept),
            free_bytes=self.free_bytes(),
        )
