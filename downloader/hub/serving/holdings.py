"""What the rows say can be served: of which commit, and which of its files are here and trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from downloader import configured
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.library import revisions
from downloader.library.checksums import Trust
from downloader.library.errors import DownloadError
from downloader.library.watch import FileState

SOURCE = "hf"
SERVED = (Trust.VERIFIED.value, Trust.LOCAL.value, Trust.OVERRIDDEN.value)
FIELDS = ("path", "size_bytes", "sha256", "digest", "trust", "status", "verified_at")
Row = tuple[str, int | None, str, str, str, str, datetime | None]


@dataclass(frozen=True)
class Held:
    """A file as clients see it. Its name in git is the digest that was published, where that is
    what was verified; any other file is told as a large one, by the SHA-256 of the bytes here."""

    path: str
    size: int
    sha256: str  # of the blob; empty when the bytes are not here yet
    large: str  # SHA-256, where the file is a large one
    oid: str  # in git: of the file, or of the pointer to a large one
    verified_at: datetime | None

    @property
    def is_here(self) -> bool:
        return bool(self.sha256)

    @property
    def etag(self) -> str:
        return f'"{self.large or self.oid}"'


@dataclass(frozen=True)
class Shelf:
    """One commit of a repository."""

    repo: Repo
    snapshot: Snapshot

    @property
    def commit(self) -> str:
        return self.snapshot.commit


def tracked(repo_id: str) -> list[Repo]:
    """Each revision of the repository that is tracked."""
    author, _, name = repo_id.rpartition("/")
    rows = Repo.objects.filter(source=SOURCE, author=author, name=name)
    return list(rows.select_related("snapshot").order_by("created_at", "id"))


def names(repos: Sequence[Repo]) -> set[str]:
    """All that can stand for a commit of them: revisions, and the commits. One that nobody has
    seen upstream could be anything, such as a branch and the folders below it: it counts only as
    long as it begins with no revision that is known."""
    commits = Snapshot.objects.filter(repo__in=repos).values_list("commit", flat=True)
    seen = {*(repo.revision for repo in repos if repo.snapshot_id), *commits}
    unseen = {repo.revision for repo in repos} - seen
    return seen | {one for one in unseen if not any(one.startswith(f"{name}/") for name in seen)}


def shelf(repos: Sequence[Repo], revision: str) -> Shelf | None:
    """A branch stands for the commit that its folder shows: a newer one, which was seen and not
    downloaded, is asked for by its own name."""
    for repo in repos:
        if repo.revision == revision:
            snapshot = _shown(repo)
            return Shelf(repo, snapshot) if snapshot else None
    found = (
        Snapshot.objects.filter(repo__in=repos, commit=revision)
        .select_related("repo")
        .order_by("-done_count", "id")
        .first()
    )
    return Shelf(found.repo, found) if found else None


def _shown(repo: Repo) -> Snapshot | None:
    if repo.snapshot is None:
        return None
    folder = revisions.folder_of(repo.full_name, repo.revision)
    if repo.snapshot.folder == str(folder):
        return repo.snapshot
    by_row = repo.snapshots.filter(folder=str(folder)).first()
    return by_row or _described(repo) or repo.snapshot


def _described(repo: Repo) -> Snapshot | None:
    """By the descriptor in the folder itself, for when an older commit moved on in the rows."""
    try:
        folder = revisions.folder_of(repo.full_name, repo.revision)
        standing = revisions.read(folder, configured.store())
    except DownloadError:  # unreadable, or not ours: the rows decide
        return None
    return repo.snapshots.filter(commit=standing.commit).first() if standing else None


def files(on: Shelf, *, also_missing: bool = False) -> list[Held]:
    """By path. A commit that several tracked revisions stand at is one. `also_missing`: those, too,
    whose bytes could be fetched."""
    return _held(_rows(on, also_missing=also_missing))


def file(on: Shelf, path: str, *, also_missing: bool = False) -> Held | None:
    return next(iter(_held(_rows(on, also_missing=also_missing).filter(path=path))), None)


def known(on: Shelf, path: str) -> RepoFile | None:
    """What is known of a file that is not served."""
    return RepoFile.objects.filter(snapshot=on.snapshot, path=path).first()


def _rows(on: Shelf, *, also_missing: bool) -> QuerySet[RepoFile]:
    repo = on.repo
    wanted = Q(status=FileState.DONE.value, trust__in=SERVED)
    if also_missing:
        wanted |= Q(barred="", size_bytes__isnull=False) & ~Q(digest="")
    return RepoFile.objects.filter(
        wanted,
        snapshot__commit=on.commit,
        snapshot__repo__source=repo.source,
        snapshot__repo__author=repo.author,
        snapshot__repo__name=repo.name,
    )


def _held(rows: QuerySet[RepoFile]) -> list[Held]:
    found: dict[str, Held] = {}
    described: Iterable[Row] = rows.order_by("path").values_list(*FIELDS)
    for row in described:
        held = as_held(row)
        before = found.get(held.path) if held else None
        if held and (before is None or not before.is_here):
            found[held.path] = held
    return list(found.values())


def as_held(row: Row) -> Held | None:
    """None for a file that is not here and has no digest a client could be told."""
    path, size, sha256, digest, trust, status, verified_at = row
    algorithm, _, published = digest.partition(":")
    is_here = status == FileState.DONE and trust in SERVED
    if size is None or (not is_here and algorithm not in ("sha256", "git-sha1")):
        return None
    if algorithm == "git-sha1" and not (is_here and trust != Trust.VERIFIED):
        return Held(path, size, sha256 if is_here else "", "", published, verified_at)
    large = sha256 if is_here else published
    return Held(path, size, sha256 if is_here else "", large, pointer_oid(large, size), verified_at)


def pointer(sha256: str, size: int) -> bytes:
    """What git holds in the place of a large file."""
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    )


def pointer_oid(sha256: str, size: int) -> str:
    words = pointer(sha256, size)
    blob = b"blob %d\0%b" % (len(words), words)
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()
