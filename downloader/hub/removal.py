"""Taking a repository, or one commit of it, off the disk: its folders, and the bytes that nothing
else uses. Its list stays, so that it can be downloaded again, unless it is to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.contrib.admin.models import CHANGE, DELETION
from django.db import transaction

from downloader import configured
from downloader.hub import snapshots
from downloader.hub.matching import LOCAL
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.library import retiring, revisions
from downloader.library.watch import FileState
from registry import auditing, wording

TOLD_AT_MOST = 10


@dataclass(frozen=True)
class Removal:
    """`kept_bytes` belong to something else too. `forgotten`: the list is gone as well."""

    removed: bool
    freed_bytes: int
    kept_bytes: int
    folders: tuple[str, ...]
    forgotten: bool = False


def remove(
    what: Repo | Snapshot, *, dry_run: bool = False, forget: bool = False, by: Any = None
) -> Removal:
    """What a scan found and no source knows is forgotten in any case: there is nowhere to fetch it
    from. Files that nobody downloaded, and names that an operator gave to adopted ones elsewhere,
    stay."""
    chosen = [what] if isinstance(what, Snapshot) else list(what.snapshots.all())
    repo = what.repo if isinstance(what, Snapshot) else what
    store = configured.store()
    folders = [folder for one in chosen for folder in _folders(repo, one)]
    here = sum(_bytes_here(chosen).values())
    freed = retiring.remove(folders, store, dry_run=dry_run).freed_bytes
    forget = forget or repo.source == LOCAL
    if not dry_run:
        _write_down(repo, what, chosen, forget=forget, freed=freed, by=by)
    return Removal(
        removed=not dry_run,
        freed_bytes=freed,
        kept_bytes=max(0, here - freed),
        folders=tuple(sorted(map(str, set(folders)))),
        forgotten=forget and not dry_run,
    )


def _folders(repo: Repo, snapshot: Snapshot) -> list[PurePosixPath]:
    """Where this commit is shown: the row may be older than the disk."""
    store = configured.store()
    names = {repo.revision, snapshot.commit}
    places = {revisions.folder_of(repo.full_name, name) for name in names}
    places |= {PurePosixPath(snapshot.folder)} if snapshot.folder else set()
    found = []
    for place in places:
        standing = revisions.standing_at(place, store)
        if standing is not None and _is_of(standing, repo, snapshot):
            found.append(place)
    return [place for place in found if not _is_anothers(place, repo)]


def _is_anothers(place: PurePosixPath, repo: Repo) -> bool:
    """Two revisions may have been at one commit, which is kept in one place."""
    return Snapshot.objects.filter(folder=str(place)).exclude(repo=repo).exists()


def _is_of(standing: revisions.Revision, repo: Repo, snapshot: Snapshot) -> bool:
    shown = (standing.source, standing.repo, standing.commit)
    return shown == (repo.source, repo.full_name, snapshot.commit)


def _bytes_here(chosen: list[Snapshot]) -> dict[str, int]:
    rows = RepoFile.objects.filter(snapshot__in=chosen, status=FileState.DONE)
    return {sha256: size or 0 for sha256, size in rows.values_list("sha256", "size_bytes")}


def _write_down(
    repo: Repo,
    what: Repo | Snapshot,
    chosen: list[Snapshot],
    *,
    forget: bool,
    freed: int,
    by: Any,
) -> None:
    flag = DELETION if forget and isinstance(what, Repo) else CHANGE
    commits = ", ".join(one.commit[:12] for one in chosen[:TOLD_AT_MOST])
    told = auditing.facts({"commits": commits, "freed": wording.size(freed), "forgotten": forget})
    with transaction.atomic():
        auditing.note(repo, by, auditing.sentence("removed", told), flag)
        if forget:
            what.delete()
            return
        for snapshot in chosen:
            done = snapshot.files.filter(status=FileState.DONE)
            snapshots.mark_gone(snapshot, list(done.values_list("path", flat=True)))
