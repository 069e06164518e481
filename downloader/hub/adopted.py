"""Rows for what a scan has found: repositories and files that joined without a download, and what
was read of each file on the disk, so that it is not read again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from downloader.hub import snapshots
from downloader.hub.matching import LOCAL, SCANNED_FROM, Identity
from downloader.hub.models import Repo, RepoFile, RepoStatus, Scanned, Snapshot
from downloader.library.layouts import Candidate, Seen
from downloader.library.revisions import Revision
from downloader.library.sources.filetypes import format_of, type_of
from downloader.library.watch import FileState
from registry.descriptors import InstalledFile

ROWS_AT_ONCE = 500
OWN_LISTING_DIGITS = 64  # of a listing of our own; a commit of a hub has fewer
Files = Mapping[str, tuple[str, int, str]]  # sha256, size and trust by path


@dataclass(frozen=True)
class Known:
    """What an earlier scan read."""

    seen: Seen
    sha256: str


def record(identity: Identity, shown: Revision, candidate: Candidate) -> Repo:
    """The revision is shown; its files are here."""
    files = {file.path: (file.sha256, file.size, file.trust) for file in shown.files}
    with transaction.atomic():
        if identity.snapshot is not None:
            snapshots.mark_done(identity.snapshot, files, str(shown.folder))
            return identity.snapshot.repo
        repo = _repo(identity, candidate)
        snapshot = _listing(repo, shown)
        snapshots.mark_done(snapshot, files, str(shown.folder))
        return repo


def is_known(shown: Revision) -> bool:
    """Whether there are rows for the commit of a revision folder."""
    author, _, name = shown.repo.rpartition("/")
    return Snapshot.objects.filter(
        repo__source=shown.source, repo__author=author, repo__name=name, commit=shown.commit
    ).exists()


def restore(shown: Revision) -> Repo:
    """Rows for a revision folder that the database does not know."""
    author, _, name = shown.repo.rpartition("/")
    facts = {"licence": (shown.licence or "")[:200], "page": (shown.page or "")[:2048]}
    with transaction.atomic():
        repo, _ = Repo.objects.get_or_create(
            source=shown.source, author=author, name=name, revision=shown.revision, defaults=facts
        )
        snapshot = _listing(repo, shown)
        files = {file.path: (file.sha256, file.size, file.trust) for file in shown.files}
        snapshots.mark_done(snapshot, files, str(shown.folder))
    return repo


def holder(identity: Identity, folder: PurePosixPath) -> str | None:
    """The other folder that has the name of this one already."""
    repo = Repo.objects.filter(
        source=identity.source,
        author=identity.author,
        name=identity.name,
        revision=identity.revision,
    ).first()
    known = repo.metadata.get(SCANNED_FROM) if repo else None
    return known if known and known != str(folder) else None


def _repo(identity: Identity, candidate: Candidate) -> Repo:
    repo, _ = Repo.objects.select_for_update().get_or_create(
        source=identity.source,
        author=identity.author,
        name=identity.name,
        revision=identity.revision,
    )
    found = identity.inferred
    said = {**found.said, snapshots.KIND: found.kind} if found else {}
    repo.metadata = {**repo.metadata, **said, SCANNED_FROM: str(candidate.folder)}
    repo.save(update_fields=["metadata"])
    return repo


def _listing(repo: Repo, shown: Revision) -> Snapshot:
    """What the folder holds, as a snapshot of its own. An older listing that was shown at the same
    place is over: the folder itself has changed."""
    snapshot, _ = Snapshot.objects.get_or_create(repo=repo, commit=shown.commit)
    known = set(snapshot.files.values_list("path", flat=True))
    rows = [_row(snapshot, file) for file in shown.files if file.path not in known]
    RepoFile.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE, ignore_conflicts=True)
    older = repo.snapshots.filter(folder=str(shown.folder)).exclude(pk=snapshot.pk)
    for one in older:
        if len(one.commit) == OWN_LISTING_DIGITS:
            one.delete()
    _point(repo, snapshot)
    return snapshot


def _row(snapshot: Snapshot, file: InstalledFile) -> RepoFile:
    return RepoFile(
        snapshot=snapshot,
        path=file.path,
        size_bytes=file.size,
        type=type_of(file.path),
        format=format_of(file.path) or "",
        digest=file.source_digest or "",
    )


def _point(repo: Repo, snapshot: Snapshot) -> None:
    """The newest listing is the repository's own, as long as its source has not told."""
    told = repo.source != LOCAL and repo.synced_at is not None
    if told:
        return
    whole = {"status": RepoStatus.SYNCED} if repo.source == LOCAL else {}
    Repo.objects.filter(pk=repo.pk).update(snapshot=snapshot, checked_at=timezone.now(), **whole)


# What was read of the disk


def known(paths: Sequence[str]) -> dict[str, Known]:
    found = {}
    for at in range(0, len(paths), ROWS_AT_ONCE):
        for row in Scanned.objects.filter(path__in=paths[at : at + ROWS_AT_ONCE]):
            seen = Seen(row.path, row.size_bytes, row.mtime_ns, row.inode)
            found[row.path] = Known(seen, row.sha256)
    return found


def remember(files: Iterable[Known]) -> None:
    rows = [
        Scanned(
            path=one.seen.path,
            size_bytes=one.seen.size,
            mtime_ns=one.seen.mtime_ns,
            inode=one.seen.inode,
            sha256=one.sha256,
            seen_at=timezone.now(),
        )
        for one in files
    ]
    Scanned.objects.bulk_create(
        rows,
        batch_size=ROWS_AT_ONCE,
        update_conflicts=True,
        unique_fields=["path"],
        update_fields=["size_bytes", "mtime_ns", "inode", "sha256", "seen_at"],
    )


def forget_missing(start: PurePosixPath, root: Path) -> None:
    """Files below `start` that are not there any more."""
    rows = Scanned.objects.exclude(path__startswith="blobs/")
    if start.parts:
        rows = rows.filter(path__startswith=f"{start}/")
    paths = list(rows.values_list("path", flat=True))
    gone = [path for path in paths if not os.path.lexists(root / path)]
    for at in range(0, len(gone), ROWS_AT_ONCE):
        Scanned.objects.filter(path__in=gone[at : at + ROWS_AT_ONCE]).delete()


def forget_blobs(digests: Iterable[str]) -> None:
    """Blobs that are not in the store any more."""
    gone = sorted(digests)
    for at in range(0, len(gone), ROWS_AT_ONCE):
        batch = gone[at : at + ROWS_AT_ONCE]
        Scanned.objects.filter(path__startswith="blobs/", sha256__in=batch).delete()


def have_rows(digests: Iterable[str]) -> bool:
    """Whether each of these blobs is shown by a file of a repository."""
    wanted = set(digests)
    rows = RepoFile.objects.filter(status=FileState.DONE)
    found: set[str] = set()
    listed = sorted(wanted)
    for at in range(0, len(listed), ROWS_AT_ONCE):
        batch = Q(sha256__in=listed[at : at + ROWS_AT_ONCE])
        found.update(rows.filter(batch).values_list("sha256", flat=True))
    return found == wanted
