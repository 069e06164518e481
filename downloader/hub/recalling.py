"""What is known of a place in the hub without asking its source: what the last sync wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from downloader.hub import registering
from downloader.hub.errors import UnknownRepo
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    NotFound,
    ProtocolViolation,
    Refused,
    Unreachable,
)
from downloader.library.sources.filetypes import format_of, type_of
from downloader.library.watch import FileState

# As good as no answer: another network's login page, or the operator's word that there is none.
CUT_OFF = (Unreachable, ProtocolViolation, Refused)
Line = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A folder or file of a revision of a repository. `deep`: with all that is below it."""

    author: str
    repo: str
    revision: str
    path: str = ""
    deep: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.author}/{self.repo}" if self.author else self.repo


def place(author: str, repo: str, revision: str | None = None, path: str = "") -> Place:
    """InvalidRef for what cannot be the name of a repository or of a revision."""
    ref = registering.read(f"{author}/{repo}" if author else repo)
    return Place(author, repo, registering.checked_revision(ref, revision), path.strip("/"))


# Repositories


def tracked(at: Place) -> QuerySet[Repo]:
    """At whatever revision."""
    found = Repo.objects.select_related("snapshot")
    return found.filter(source=registering.SOURCE, author=at.author, name=at.repo)


def known(at: Place) -> tuple[Repo, Snapshot] | None:
    """The commit that a sync saw the revision at, or that the revision is."""
    repo = tracked(at).filter(revision=at.revision).exclude(snapshot=None).first()
    if repo is not None and repo.snapshot is not None:
        return repo, repo.snapshot
    commits = Snapshot.objects.select_related("repo").filter(repo__in=tracked(at))
    snapshot = commits.filter(commit=at.revision).first()
    return (snapshot.repo, snapshot) if snapshot else None


def still_known(at: Place) -> tuple[Repo, Snapshot]:
    found = known(at)
    if found is None:
        raise UnknownRepo(f"{at.full_name}@{at.revision} is not tracked any more.")
    return found


def instead_of(error: DownloadError, at: Place) -> tuple[Repo, Snapshot]:
    """What is known, where the source has failed; `error` when there is nothing, or when the source
    did answer."""
    found = known(at)
    if found is None or not stands_in(error, [found[0]]):
        raise error
    return found


def stands_in(error: DownloadError, repos: Sequence[Repo]) -> bool:
    if isinstance(error, CUT_OFF):
        return True
    vanished = any(repo.gone_at is not None for repo in repos)
    return vanished and isinstance(error, (NotFound, AccessNeeded))


# Files and folders


def file_line(path: str, size: int | None, sha256: str | None, *, is_here: bool) -> Line:
    facts = {"path": path, "size_bytes": size, "type": "file", "sha256": sha256, "local": is_here}
    return {**facts, "kind": type_of(path), "format": format_of(path)}


def folder_line(path: str, *, is_here: bool) -> Line:
    facts = {"path": path, "size_bytes": None, "type": "dir", "sha256": None, "local": is_here}
    return {**facts, "kind": None, "format": None}


def children(at: Place, snapshot: Snapshot) -> dict[str, Line]:
    """The files and folders directly below a path; of a deep one all files, and no folder.
    NotFound for a folder that is not there."""
    fields = ("path", "size_bytes", "digest", "sha256", "status")
    whole = whole_folders(at, snapshot)
    found: dict[str, Line] = {}
    for path, size, digest, blob, status in _below(snapshot, at.path).values_list(*fields):
        name = path if at.deep else _child(path, at.path)
        if name != path:
            found[name] = folder_line(name, is_here=name in whole)
            continue
        algorithm, _, value = digest.partition(":")
        published = value if algorithm == "sha256" else None
        is_here = status == FileState.DONE
        found[path] = file_line(path, size, blob or published, is_here=is_here)
    if not found and at.path:
        raise NotFound(f"{at.full_name} has no folder {at.path[:200]!r} at {at.revision}.")
    return found


def whole_folders(at: Place, snapshot: Snapshot) -> set[str]:
    """Folders directly below a path of which everything that may be fetched is here."""
    rows = _below(snapshot, at.path).filter(Q(barred="") | Q(status=FileState.DONE))
    here: dict[str, bool] = {}
    for path, status in rows.values_list("path", "status"):
        name = _child(path, at.path)
        if name != path:
            here[name] = here.get(name, True) and status == FileState.DONE
    return {name for name, is_here in here.items() if is_here}


def blobs(digests: Sequence[str]) -> dict[str, str]:
    """The blobs of files by the digest that their source publishes."""
    rows = RepoFile.objects.exclude(digest="").filter(digest__in=digests, status=FileState.DONE)
    return dict(rows.values_list("digest", "sha256")) if digests else {}


def _below(snapshot: Snapshot, path: str) -> QuerySet[RepoFile]:
    rows = snapshot.files.all()
    return rows.filter(path__startswith=f"{path}/") if path else rows


def _child(path: str, folder: str) -> str:
    """The file or folder directly below `folder` that `path` is, or lies in."""
    start = len(folder) + 1 if folder else 0
    end = path.find("/", start)
    return path if end < 0 else path[:end]
