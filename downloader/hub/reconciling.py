"""Making the rows of a repository and the disk agree again, after somebody changed one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction

from downloader import configured
from downloader.hub import registering, snapshots, vouching
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.hub.voices import Voice
from downloader.library import adoption, revisions
from downloader.library.checksums import Computed, Trust
from downloader.library.errors import Busy, DownloadError
from downloader.library.layouts import Seen
from downloader.library.revisions import Revision
from downloader.library.store import Claim, Store
from downloader.library.watch import Control, FileState
from jobs.patience import persist
from registry import auditing
from registry.descriptors import InstalledFile

TOLD_AT_MOST = 100


@dataclass
class Report:
    """Paths, each with the commit it belongs to. `missing`: rows that are pending now. `found`:
    rows that are done now. `relinked`: links that were put back."""

    missing: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    relinked: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        counts = {"missing": self.missing, "found": self.found, "relinked": self.relinked}
        told = {f"{sort}_paths": paths[:TOLD_AT_MOST] for sort, paths in counts.items()}
        return {**{sort: len(paths) for sort, paths in counts.items()}, **told}

    @property
    def told(self) -> str:
        return (
            f"{len(self.missing)} files are missing, {len(self.found)} were found, "
            f"{len(self.relinked)} links put back."
        )


def job(repo_id: str, voice: Voice) -> dict[str, Any]:
    """What the job `scan` does for a repository."""
    repo = persist(lambda: registering.get(repo_id))
    report = rescan(repo, configured.store(), voice)
    voice.progress(1.0)
    return {"count": 1, "completed": 1, "repo_id": str(repo.pk), **report.to_json()}


def rescan(repo: Repo, store: Store, voice: Voice) -> Report:
    """Rows whose bytes are gone become pending, files whose bytes are here become done, and links
    that are missing come back. No blob that is known is hashed: `verify` does that."""
    report = Report()
    known = voice.aside(store.known).by_digest
    for snapshot in persist(lambda: list(repo.snapshots.all())):
        voice.control.check()
        outcome = _rescan_one(repo, snapshot, store, known, voice)
        _tell(report, snapshot, outcome)
    voice.say("scan.done", f"{repo}: {report.told}")
    return report


def _rescan_one(
    repo: Repo, snapshot: Snapshot, store: Store, known: Mapping[str, str], voice: Voice
) -> _Outcome:
    rows = persist(lambda: list(snapshot.files.all()))
    outcome = voice.aside(lambda: _look(repo, snapshot, rows, store, known, voice.control))
    persist(lambda: _settle(snapshot, outcome))
    return outcome


def mark_missing(repo: Repo, store: Store, *, by: Any = None) -> Report:
    """Only the rows: those whose bytes are not in the store become pending. The disk stays as it
    is."""
    gone = {snapshot: _gone(snapshot, store) for snapshot in repo.snapshots.all()}
    gone = {snapshot: paths for snapshot, paths in gone.items() if paths}
    report = Report([_shown(snapshot, path) for snapshot, paths in gone.items() for path in paths])
    if not gone:
        return report
    with transaction.atomic():
        for snapshot, paths in gone.items():
            snapshots.mark_gone(snapshot, paths)
        told = auditing.facts({"files": len(report.missing)})
        auditing.note(repo, by, auditing.sentence("marked missing", told))
    return report


def _gone(snapshot: Snapshot, store: Store) -> list[str]:
    rows = snapshot.files.filter(status=FileState.DONE)
    return [row.path for row in rows if not store.has(row.sha256, row.size_bytes)]


@dataclass(frozen=True)
class _Outcome:
    gone: tuple[str, ...]
    here: Mapping[str, tuple[str, int, str]]
    found: tuple[str, ...]
    relinked: tuple[str, ...]
    folder: str


def _look(
    repo: Repo,
    snapshot: Snapshot,
    rows: list[RepoFile],
    store: Store,
    known: Mapping[str, str],
    control: Control,
) -> _Outcome:
    """Touches no database."""
    folder = _folder(repo, snapshot, store)
    gone: list[str] = []
    here: dict[str, InstalledFile] = {}
    found: list[str] = []
    with store.claim() as claim:
        for row in rows:
            control.check()
            file = _bytes_of(row, folder, store, known, claim)
            if file is not None:
                here[row.path] = file
                found += [] if row.is_here else [row.path]
            elif row.is_here:
                gone.append(row.path)
        relinked, shown = _show(repo, snapshot, folder, here, gone, store, claim)
    facts = {path: (file.sha256, file.size, file.trust) for path, file in here.items()}
    return _Outcome(tuple(gone), facts, tuple(found), relinked, str(shown or ""))


def _folder(repo: Repo, snapshot: Snapshot, store: Store) -> PurePosixPath:
    """Where the commit is shown, or would be: the revision's own folder may show another one."""
    pinned = revisions.folder_of(repo.full_name, snapshot.commit)
    places = [PurePosixPath(snapshot.folder)] if snapshot.folder else []
    if repo.snapshot_id == snapshot.pk:
        places.append(revisions.folder_of(repo.full_name, repo.revision))
    for folder in places:
        standing = revisions.standing_at(folder, store)
        if standing is None or standing.commit == snapshot.commit:
            return folder
    return pinned


def _bytes_of(
    row: RepoFile,
    folder: PurePosixPath,
    store: Store,
    known: Mapping[str, str],
    claim: Claim,
) -> InstalledFile | None:
    """The blob of a row that is done, of one whose digest names a blob that is here, or of a file
    that lost its blob and lies in the folder still."""
    if row.is_here and store.has(row.sha256, row.size_bytes):
        return _installed(row, row.sha256, row.trust)
    sha256 = _named_by(row.digest, known)
    if not row.barred and sha256 and _is_it(row, sha256, store):
        return _installed(row, sha256, Trust.VERIFIED)
    if row.is_here and _regained(row, folder, store, claim):
        return _installed(row, row.sha256, row.trust)
    return None


def _is_it(row: RepoFile, sha256: str, store: Store) -> bool:
    """What descriptors say of other digests than the blob's own name is only a hint."""
    here = store.has(sha256, row.size_bytes)
    return here and vouching.agrees(sha256, row.digest, store, Control())


def _named_by(digest: str, known: Mapping[str, str]) -> str | None:
    algorithm, _, value = digest.partition(":")
    return value if algorithm == "sha256" else known.get(digest)


def _regained(row: RepoFile, folder: PurePosixPath, store: Store, claim: Claim) -> bool:
    """A hard link, or a copy, outlives its blob: it becomes one again."""
    control = Control()
    if store.hash_placed(folder, row.path, control) != row.sha256:
        return False
    claim.add(blobs=[row.sha256])
    seen = Seen.of(row.path, (store.root / folder / row.path).lstat())
    try:
        adoption.take(store, folder, seen, Computed(seen.size, row.sha256), claim)
    except (Busy, DownloadError):
        return False
    return True


def _installed(row: RepoFile, sha256: str, trust: str) -> InstalledFile:
    return InstalledFile(row.path, sha256, row.size_bytes or 0, str(trust), row.digest or None)


def _show(
    repo: Repo,
    snapshot: Snapshot,
    folder: PurePosixPath,
    here: Mapping[str, InstalledFile],
    gone: list[str],
    store: Store,
    claim: Claim,
) -> tuple[tuple[str, ...], PurePosixPath | None]:
    """The links that were missing, and the folder that shows the files now."""
    if gone:
        revisions.withdraw(folder, gone, store)
    if not here:
        return (), None
    claim.add(blobs=[file.sha256 for file in here.values()])
    missing = [
        path
        for path, file in here.items()
        if store.placed(folder, path, file.sha256, file.size) is None
    ]
    wanted = Revision(
        source=repo.source,
        repo=repo.full_name,
        revision=_revision_of(repo, folder, snapshot),
        commit=snapshot.commit,
        files=tuple(here.values()),
        licence=repo.licence or None,
        page=repo.page or None,
    )
    shown = revisions.publish(wanted, store, claim)
    return tuple(missing), shown.folder


def _revision_of(repo: Repo, folder: PurePosixPath, snapshot: Snapshot) -> str:
    own = revisions.folder_of(repo.full_name, repo.revision)
    return repo.revision if folder == own else snapshot.commit


def _settle(snapshot: Snapshot, outcome: _Outcome) -> None:
    if outcome.gone:
        snapshots.mark_gone(snapshot, outcome.gone)
    if outcome.found or (outcome.here and snapshot.folder != outcome.folder):
        changed = {path: outcome.here[path] for path in outcome.found}
        snapshots.mark_done(snapshot, changed, outcome.folder)


def _tell(report: Report, snapshot: Snapshot, outcome: _Outcome) -> None:
    report.missing += [_shown(snapshot, path) for path in outcome.gone]
    report.found += [_shown(snapshot, path) for path in outcome.found]
    report.relinked += [_shown(snapshot, path) for path in outcome.relinked]


def _shown(snapshot: Snapshot, path: str) -> str:
    return f"{snapshot.commit[:12]}/{path}"
