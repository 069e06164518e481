"""What nobody needs any more goes: blobs without a reference, and the debris of the dead.

A blob stays as long as a descriptor names it, a living claim lists it, or it is younger than the
grace. All of that is read, and acted on, under the store's own lock, which claims are made under
too. While one descriptor cannot be read, nothing is known, and no blob is removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from downloader.library.store import blobs, claims, durability, quarantine, references, signs, trash
from downloader.library.store.claims import Claimed
from downloader.library.store.folders import Folder
from downloader.library.store.layout import SHA256, Layout
from downloader.library.store.locks import Lease
from downloader.library.store.references import References

DAY_S = 86_400.0
STAGING_GRACE_S = 7 * DAY_S


@dataclass(frozen=True)
class Terms:
    """What to collect. `without`: descriptors that count as gone, with `links`, how many hard links
    of each blob go with them: for a dry run of a removal."""

    dry_run: bool = False
    grace_s: float = DAY_S
    staging_grace_s: float = STAGING_GRACE_S
    only: Collection[str] | None = None
    without: Collection[str] = ()
    links: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Collected:
    """`freed_bytes` counts what the disk gets back: bytes that another hard link still holds are
    not among them. `kept`: how many blobs stayed, by reason."""

    freed_bytes: int = 0
    blobs: tuple[str, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    staging: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    trash: int = 0  # things that could not be deleted
    dry_run: bool = False


def clock(layout: Layout) -> float:
    """The time of the file system itself, which the ages of its files are counted from. Asked under
    the store's lock."""
    with layout.staging() as staging:
        name = "clock"
        staging.forget(name)
        staging.write_new(name, b"", sync=False)
        try:
            found = staging.look(name)
            return found.st_mtime if found else 0.0
        finally:
            staging.forget(name)


def claimed(layout: Layout, now: float) -> Claimed:
    with layout.below(Layout.STAGING, claims.FOLDER) as folder:
        return claims.read(folder, now)


def sweep(layout: Layout, held: Claimed) -> list[str]:
    """What the dead left that nobody can take up again: their claims, and folders half built."""
    gone: list[str] = []
    with layout.below(Layout.STAGING, claims.FOLDER) as folder:
        for name in held.over:
            folder.forget(name)
            gone.append(name)
    with layout.staging() as staging:
        for name in staging.names():
            if name.startswith("build-") and name.split("-")[1] not in held.tokens:
                trash.throw(layout, staging, name)
                gone.append(name)
    return gone


def collect(layout: Layout, lease: Lease, terms: Terms) -> Collected:
    """Under the store's lock, which is `lease`."""
    now = clock(layout)
    held = claimed(layout, now)
    known = references.read(layout)
    collecting = _Collecting(layout, lease, terms, held, known, now)
    collecting.blobs()
    if terms.only is None:
        collecting.staging()
    if not terms.dry_run:
        collecting.gone_from_staging += sweep(layout, held)
    return collecting.result()


class _Collecting:
    def __init__(
        self,
        layout: Layout,
        lease: Lease,
        terms: Terms,
        held: Claimed,
        known: References,
        now: float,
    ) -> None:
        self._layout = layout
        self._lease = lease
        self._terms = terms
        self._held = held
        self._known = known
        self._now = now
        self._freed = 0
        self._gone: list[str] = []
        self._kept: Counter[str] = Counter()
        self.gone_from_staging: list[str] = []

    def blobs(self) -> None:
        for folder, sha256 in self._candidates():
            reason = self._reason(folder, sha256)
            if reason:
                self._kept[reason] += 1
            else:
                self._remove_blob(folder, sha256)

    def _candidates(self) -> Iterable[tuple[Folder, str]]:
        if self._terms.only is None:
            yield from blobs.each(self._layout)
            return
        for sha256 in sorted(self._terms.only):
            with self._layout.blobs(sha256) as folder:
                if folder.look(sha256):
                    yield folder, sha256

    def _reason(self, folder: Folder, sha256: str) -> str | None:
        """Why it stays."""
        if self._known.unreadable:
            return "unknown"
        if not SHA256.fullmatch(sha256) or not folder.is_file(sha256):
            return "foreign"
        if self._known.by_blob.get(sha256, set()) - set(self._terms.without):
            return "referenced"
        if sha256 in self._held.blobs:
            return "claimed"
        return "young" if self._age(folder, sha256) < self._terms.grace_s else None

    def _age(self, folder: Folder, name: str) -> float:
        found = folder.look(name)
        return self._now - found.st_mtime if found else 0.0

    def _remove_blob(self, folder: Folder, sha256: str) -> None:
        found = folder.look(sha256)
        if found is None:
            return
        if not self._terms.dry_run:
            self._lease.check()
            durability.unlink(folder.descriptor, sha256)
        self._gone.append(sha256)
        if found.st_nlink - self._terms.links.get(sha256, 0) <= 1:
            self._freed += found.st_size

    def staging(self) -> None:
        """Partial files that nobody came back for."""
        with self._layout.staging() as staging:
            for name in staging.names():
                old = self._age(staging, name) >= self._terms.staging_grace_s
                if not staging.is_file(name) or name in self._held.staged or not old:
                    continue
                found = staging.look(name)
                self._freed += found.st_blocks * 512 if found else 0
                self.gone_from_staging.append(name)
                if not self._terms.dry_run:
                    staging.forget(name)

    def result(self) -> Collected:
        return Collected(
            freed_bytes=self._freed,
            blobs=tuple(self._gone),
            kept=dict(self._kept),
            staging=tuple(self.gone_from_staging),
            unreadable=tuple(self._known.unreadable),
            dry_run=self._terms.dry_run,
        )


def clear_quarantine_leftovers(layout: Layout, now: float) -> None:
    """Entries whose bytes never came, or have left: a process died in between."""
    with layout.below(Layout.QUARANTINE) as top:
        for name in top.names():
            if quarantine.ID.fullmatch(name) is None or not top.is_folder(name):
                continue
            with top.sub(name) as folder:
                found = folder.look(quarantine.RECORD)
                empty = not folder.is_file(quarantine.BYTES)
            if empty and (found is None or now - found.st_mtime > signs.LONG_SILENCE_S):
                trash.throw(layout, top, name)
