"""Which files of which commits are meant: by id, or by paths and patterns in a repository."""

from __future__ import annotations

import fnmatch
import re
import uuid
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from downloader import configured
from downloader.hub import registering, snapshots
from downloader.hub.errors import (
    AlreadyDownloaded,
    NotSynced,
    TooManyPatterns,
    UnknownCommit,
    UnknownFile,
)
from downloader.hub.models import Repo, RepoFile, Snapshot

MOST_PATTERNS = 100  # each is held against every file: of 20,000, a second in all
WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Wanted:
    """Files of one snapshot, by path."""

    repo: Repo
    snapshot: Snapshot
    paths: tuple[str, ...]

    @property
    def title(self) -> str:
        return str(self.repo)


def chosen(params: Mapping[str, Any]) -> list[Wanted]:
    """What the job's parameters name: files by id, or a repository with a selection. NotSynced when
    its files are not known; HubError when a path or pattern fits none."""
    if params.get("artifact_ids"):
        return by_ids([uuid.UUID(str(id_)) for id_ in params["artifact_ids"]])
    repo = registering.get(params["repo_id"])
    snapshot = snapshot_of(repo, params.get("commit"))
    return [Wanted(repo, snapshot, tuple(select(snapshot, params.get("selection") or ())))]


def snapshot_of(repo: Repo, commit: str | None) -> Snapshot:
    """The commit that is named, else the newest one. NotSynced when none is known."""
    if commit:
        found = repo.snapshots.filter(commit=commit).first()
        if found is None:
            raise UnknownCommit(f"No commit {commit[:40]} of {repo} is known; sync it first.")
        return found
    if repo.snapshot is None:
        raise NotSynced(f"The files of {repo} are not known yet; sync it first.")
    return repo.snapshot


def by_ids(ids: Sequence[uuid.UUID]) -> list[Wanted]:
    rows = RepoFile.objects.filter(pk__in=ids).select_related("snapshot__repo__snapshot")
    missing = len(set(ids)) - len(rows)
    if missing:
        raise UnknownFile(f"{missing} of the files are not known; look at the list again.")
    return [
        Wanted(snapshot.repo, snapshot, tuple(sorted(file.path for file in files)))
        for snapshot, files in snapshots.together(rows)
    ]


def select(snapshot: Snapshot, selection: Iterable[Mapping[str, str]]) -> list[str]:
    """Paths that entries `{path, type: file|dir}` name; a path may be a pattern. No entry: all that
    the policy allows. A file that is named itself is taken whatever the policy says, and refused
    when it is fetched, with the reason."""
    listing = _Listing(snapshot.files.values_list("path", "barred"))
    wanted = dict.fromkeys((entry["path"], _is_folder(entry)) for entry in selection)
    if not wanted:
        return listing.allowed
    patterns = [path for path, folder in wanted if not folder and listing.takes_for_pattern(path)]
    if len(patterns) > MOST_PATTERNS:
        told = f"At most {MOST_PATTERNS} patterns at once; name folders or files instead."
        raise TooManyPatterns(told, details={"fields": {"selection": [told]}})
    taken: set[str] = set()
    for path, folder in wanted:
        found = listing.below(path) if folder else listing.named(path)
        if not found:
            raise UnknownFile(
                f"There is no {path[:200]!r} in {snapshot.repo} at {snapshot.commit[:12]}.",
                details={"fields": {"selection": [f"No file fits {path[:200]!r}."]}},
            )
        taken.update(found)
    return sorted(taken)


def _is_folder(entry: Mapping[str, str]) -> bool:
    return entry.get("type") == "dir" or entry["path"].endswith("/")


class _Listing:
    """The files of a commit, to be asked for thousands of names: only a pattern costs a look at
    every one of them."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        known = dict(rows)
        self.paths = known.keys()
        self.allowed = sorted(path for path, barred in known.items() if not barred)

    def takes_for_pattern(self, path: str) -> bool:
        """A file can be called so."""
        return WILD.search(path) is not None and path.strip("/") not in self.paths

    def named(self, path: str) -> Sequence[str]:
        bare = path.strip("/")
        if bare in self.paths:
            return [bare]
        if not self.takes_for_pattern(path):
            return []
        fits = re.compile(fnmatch.translate(bare)).match
        return [name for name in self.allowed if fits(name)]

    def below(self, folder: str) -> Sequence[str]:
        """They lie side by side in their order."""
        bare = folder.strip("/")
        if not bare:
            return self.allowed
        first, last = f"{bare}/", f"{bare}0"  # which comes next after the slash
        return self.allowed[bisect_left(self.allowed, first) : bisect_left(self.allowed, last)]


def refuse_nothing_to_do(wanted: Sequence[Wanted]) -> None:
    """AlreadyDownloaded when every file is here, by the rows and by the store."""
    store = configured.store()
    for one in wanted:
        rows = {row.path: row for row in one.snapshot.files.all()}
        for path in one.paths:
            row = rows[path]
            if not (row.is_here and store.has(row.sha256, row.size_bytes)):
                return
    raise AlreadyDownloaded("All of these files are here already; force fetches them again.")
