"""Between a source's words and rows: what a commit holds, and what of it is here."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from downloader import configured
from downloader.hub import correcting
from downloader.hub.models import Repo, RepoFile, RepoStatus, Snapshot
from downloader.library import revisions, safety
from downloader.library.checksums import Digest
from downloader.library.errors import UnsafeName
from downloader.library.refs import Ref
from downloader.library.remote import RemoteFile, Resolved
from downloader.library.safety import Policy
from downloader.library.sources.filetypes import format_of, type_of
from downloader.library.watch import FileState
from registry.descriptors import UNSTORABLE

ROWS_AT_ONCE = 500
TOLD_AT_MOST = 50  # paths of each sort, in a snapshot's changes
LONGEST_PATH_BYTES = 1024
KIND = "kind"  # in a repo's metadata: what its source says it is, in the registry's words


@dataclass(frozen=True)
class Change:
    """How one list of files differs from an earlier one, by path."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    bytes_to_fetch: int  # of what was added or changed, and is not in the store under its digest

    @property
    def any(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def to_json(self) -> dict[str, Any]:
        named = {"added": self.added, "changed": self.changed, "removed": self.removed}
        counts = {sort: len(paths) for sort, paths in named.items()}
        first = {f"{sort}_paths": list(paths[:TOLD_AT_MOST]) for sort, paths in named.items()}
        return {**counts, **first, "bytes_to_fetch": self.bytes_to_fetch}


def take(
    repo: Repo, resolved: Resolved, policy: Policy, *, by_source: bool = True
) -> tuple[Snapshot, Change, int]:
    """Write down what the source lists. The same commit again changes nothing but what the policy
    bars, and what somebody other than its source has said of it. The answer's last part: how many
    files have names that no database can hold. `by_source`: it has answered just now itself."""
    listed = [file for file in resolved.files if storable(file.path)]
    store = configured.store()
    with transaction.atomic():
        held = Repo.objects.select_for_update(of=("self",)).select_related("snapshot")
        repo = held.get(pk=repo.pk)
        before = repo.snapshot
        known = known_files(before)
        change = compare(known, listed, configured.present_in(store))
        snapshot = _snapshot(repo, resolved, listed, change, policy, before)
        correcting.complete(snapshot, listed, lambda file: _row(snapshot, file, policy))
        if by_source:
            correcting.correct(snapshot, listed)
        _settle(repo, snapshot, resolved)
    recount(snapshot)
    return snapshot, change, len(resolved.files) - len(listed)


def together(rows: Iterable[RepoFile]) -> list[tuple[Snapshot, list[RepoFile]]]:
    """The files of each commit; the rows have brought theirs along."""
    found: dict[uuid.UUID, list[RepoFile]] = defaultdict(list)
    for row in rows:
        found[row.snapshot_id].append(row)
    return [(files[0].snapshot, files) for files in found.values()]


def compare(
    known: Mapping[str, tuple[str, int | None]],
    listed: Sequence[RemoteFile],
    present: Callable[[RemoteFile], str | None],
) -> Change:
    """`known`: digest and size by path. A file without a digest has changed if its size has."""
    now = {file.path: (str(file.digest or ""), file.size) for file in listed}
    added = [path for path in now if path not in known]
    changed = [path for path in now if path in known and now[path] != known[path]]
    news = {*added, *changed}
    to_fetch = sum(f.size or 0 for f in listed if f.path in news and present(f) is None)
    return Change(
        tuple(sorted(added)),
        tuple(sorted(changed)),
        tuple(sorted(known.keys() - now.keys())),
        to_fetch,
    )


def known_files(snapshot: Snapshot | None) -> dict[str, tuple[str, int | None]]:
    if snapshot is None:
        return {}
    rows = snapshot.files.values_list("path", "digest", "size_bytes")
    return {path: (digest, size) for path, digest, size in rows}


def _snapshot(
    repo: Repo,
    resolved: Resolved,
    listed: Sequence[RemoteFile],
    change: Change,
    policy: Policy,
    before: Snapshot | None,
) -> Snapshot:
    snapshot, is_new = Snapshot.objects.get_or_create(repo=repo, commit=resolved.commit)
    if not is_new:
        _bar_again(snapshot, policy)
        return snapshot
    snapshot.changes = change.to_json() if before is not None else {}
    snapshot.file_count = len(listed)
    snapshot.size_bytes = sum(file.size or 0 for file in listed)
    snapshot.save(update_fields=["changes", "file_count", "size_bytes"])
    return snapshot


def _row(snapshot: Snapshot, file: RemoteFile, policy: Policy) -> RepoFile:
    return RepoFile(
        snapshot=snapshot,
        path=file.path,
        size_bytes=file.size,
        type=type_of(file.path),
        format=format_of(file.path) or "",
        digest=str(file.digest or ""),
        barred=(barred(file.path, policy) or "")[:300],
    )


def barred(path: str, policy: Policy) -> str | None:
    """Why a file of this name is not fetched here; None if it may be."""
    try:
        safe = safety.safe_path(path)
    except UnsafeName as unsafe:
        return unsafe.message
    return safety.refusal(safe, policy, type=type_of(path))


def _bar_again(snapshot: Snapshot, policy: Policy) -> None:
    """The operator may have changed the policy since."""
    changed = []
    for file in snapshot.files.only("id", "path", "barred"):
        now = (barred(file.path, policy) or "")[:300]
        if now != file.barred:
            file.barred = now
            changed.append(file)
    RepoFile.objects.bulk_update(changed, ["barred"], batch_size=ROWS_AT_ONCE)


def _settle(repo: Repo, snapshot: Snapshot, resolved: Resolved) -> None:
    now = timezone.now()
    Repo.objects.filter(pk=repo.pk).update(
        snapshot=snapshot,
        status=RepoStatus.SYNCED,
        error_code="",
        error_message="",
        gated=resolved.gated,
        private=resolved.private,
        licence=(resolved.licence or "")[:200],
        page=resolved.page or "",
        metadata={**resolved.metadata, KIND: resolved.kind_hint},
        update_commit="",
        update={},
        gone_at=None,
        checked_at=now,
        synced_at=now,
    )


def storable(path: str) -> bool:
    return bool(path) and not UNSTORABLE.search(path) and len(path.encode()) <= LONGEST_PATH_BYTES


# Back again


def resolved(repo: Repo, snapshot: Snapshot) -> Resolved:
    """As its source resolved it, from the rows alone: the source is not asked, so that what is here
    can be used when it cannot be reached."""
    files = tuple(_remote(row) for row in snapshot.files.all())
    pinned = Ref(repo.source, repo.full_name, snapshot.commit)
    return Resolved(
        ref=Ref(repo.source, repo.full_name, repo.revision),
        source_uri=str(pinned),
        repo_id=repo.full_name,
        author=repo.author,
        title=repo.full_name,
        commit=snapshot.commit,
        files=files,
        name=repo.name,
        version=snapshot.commit[:12],
        revision=repo.revision,
        kind_hint=repo.metadata.get(KIND),
        licence=repo.licence or None,
        gated=repo.gated,
        private=repo.private,
        page=repo.page or None,
        metadata={name: fact for name, fact in repo.metadata.items() if name != KIND},
    )


def _remote(row: RepoFile) -> RemoteFile:
    algorithm, _, value = row.digest.partition(":")
    return RemoteFile(
        path=row.path,
        key=row.path,
        size=row.size_bytes,
        digest=Digest(algorithm, value) if value else None,
        type=row.type,
        facts={"format": row.format} if row.format else {},
    )


def folder_of(repo: Repo, snapshot: Snapshot) -> str:
    """Where the files of the repo's own snapshot are, or will be, shown."""
    wanted = repo.revision if repo.snapshot_id == snapshot.pk else snapshot.commit
    return str(revisions.folder_of(repo.full_name, wanted))


# What of it is here


def recount(snapshot: Snapshot) -> None:
    """Make the sums of a snapshot, and what its repo says of itself, what the files' rows say."""
    done = Q(status=FileState.DONE)
    sums = snapshot.files.aggregate(
        count=Count("pk"),
        size=Sum("size_bytes", default=0),
        here=Count("pk", filter=done),
        here_bytes=Sum("size_bytes", filter=done, default=0),
        left=Count("pk", filter=~done & Q(barred="")),
    )
    Snapshot.objects.filter(pk=snapshot.pk).update(
        file_count=sums["count"],
        size_bytes=sums["size"],
        done_count=sums["here"],
        done_bytes=sums["here_bytes"],
    )
    Repo.objects.filter(snapshot=snapshot).update(
        is_downloaded=sums["here"] > 0 and sums["left"] == 0
    )


def mark_done(snapshot: Snapshot, found: Mapping[str, tuple[str, int, str]], folder: str) -> None:
    """Blob, size and trust of files by path: they are here now, and can be seen in `folder`."""
    now = timezone.now()
    with transaction.atomic():
        Snapshot.objects.select_for_update().get(pk=snapshot.pk)
        for paths in _batches(sorted(found)):
            rows = list(RepoFile.objects.filter(snapshot=snapshot, path__in=paths))
            for row in rows:
                row.sha256, row.size_bytes, row.trust = found[row.path]
                row.status, row.error, row.verified_at = FileState.DONE, "", now
            fields = ["sha256", "size_bytes", "trust", "status", "error", "verified_at"]
            RepoFile.objects.bulk_update(rows, fields, batch_size=ROWS_AT_ONCE)
        Snapshot.objects.filter(pk=snapshot.pk).update(folder=folder)
        recount(snapshot)


def note_moved(snapshot: Snapshot, folder: str) -> None:
    """`folder` shows this snapshot now; the one it showed before stands under its commit."""
    before = Snapshot.objects.filter(repo=snapshot.repo_id, folder=folder).exclude(pk=snapshot.pk)
    for other in before.select_related("repo"):
        other.folder = str(revisions.folder_of(other.repo.full_name, other.commit))
        other.save(update_fields=["folder"])


def mark_gone(snapshot: Snapshot, paths: Iterable[str]) -> None:
    """Files that are not here any more."""
    with transaction.atomic():
        Snapshot.objects.select_for_update().get(pk=snapshot.pk)
        for batch in _batches(sorted(paths)):
            RepoFile.objects.filter(snapshot=snapshot, path__in=batch).update(
                status=FileState.PENDING, sha256="", trust="unverified", verified_at=None
            )
        if not snapshot.files.filter(status=FileState.DONE).exists():
            Snapshot.objects.filter(pk=snapshot.pk).update(folder="")
        recount(snapshot)


def _batches(paths: Sequence[str]) -> Iterable[Sequence[str]]:
    return (paths[at : at + ROWS_AT_ONCE] for at in range(0, len(paths), ROWS_AT_ONCE))
