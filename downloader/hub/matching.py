"""Whose files these are: a commit that is known here, if their digests say so, else their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

from downloader.hub import registering, snapshots
from downloader.hub.errors import HubError
from downloader.hub.models import FileType, Repo, RepoFile, Snapshot
from downloader.library import revisions
from downloader.library.checksums import Computed, Trust
from downloader.library.errors import DownloadError
from downloader.library.inferring import Inferred
from downloader.library.layouts import Candidate
from downloader.library.names import safe_name
from downloader.library.revisions import Revision
from downloader.library.sources.filetypes import type_of
from downloader.library.store import Store
from registry.descriptors import InstalledFile

LOCAL = "local"
SCANNED_FROM = "scanned_from"  # in a repo's metadata: the folder it was found in
QUERIED_AT_ONCE = 500
LONGEST_NAME = 96


@dataclass(frozen=True)
class Named:
    """A file of the candidate, as its repository calls it."""

    path: str  # the candidate's
    shown_as: str
    trust: Trust
    digest: str = ""


@dataclass(frozen=True)
class Identity:
    """What a candidate is. `snapshot` is None for one whose repository nobody has asked: then its
    files are its own listing, of `commit`. `left`: files of it that are something else, and why."""

    source: str
    author: str
    name: str
    revision: str
    commit: str
    files: tuple[Named, ...]
    snapshot: Snapshot | None = None
    left: Mapping[str, str] = field(default_factory=dict)
    inferred: Inferred | None = None  # what its files say, where no source does

    @property
    def full_name(self) -> str:
        return f"{self.author}/{self.name}" if self.author else self.name

    def shown(self, store: Store, computed: Mapping[str, Computed]) -> Revision:
        """The revision to publish: under its own name, unless that shows something else."""
        files = tuple(self._file(named, computed[named.path]) for named in self.files)
        made = Revision(self.source, self.full_name, self.revision, self.commit, files)
        if self._is_free(made.folder, store):
            return made
        return Revision(self.source, self.full_name, self.commit, self.commit, files)

    def _file(self, named: Named, computed: Computed) -> InstalledFile:
        return InstalledFile(
            path=named.shown_as,
            sha256=computed.sha256,
            size=computed.size,
            trust=named.trust.value,
            source_digest=named.digest or None,
        )

    def _is_free(self, folder: PurePosixPath, store: Store) -> bool:
        standing = revisions.standing_at(folder, store)
        if standing is None:
            return True
        own = (standing.source, standing.repo) == (self.source, self.full_name)
        moves = self.snapshot is None  # the listing of a folder follows the folder
        return own and (standing.commit == self.commit or moves)


def identify(candidate: Candidate, computed: Mapping[str, Computed]) -> Identity:
    """UnsafeName when the place gives no usable name."""
    return _upstream(candidate, computed) or _own(candidate, computed)


# Known upstream


def _upstream(candidate: Candidate, computed: Mapping[str, Computed]) -> Identity | None:
    """The commit that has all of the candidate's weights, of a repository that is tracked."""
    weights = {path: c for path, c in computed.items() if type_of(path) == FileType.MODEL}
    if not weights:
        return None
    rows = _rows(digest for c in weights.values() for digest in _digests(c))
    chosen = _best(candidate, weights, rows)
    return _identity(candidate, computed, chosen) if chosen else None


def _digests(computed: Computed) -> list[str]:
    git = [f"git-sha1:{computed.git_sha1}"] if computed.git_sha1 else []
    return [f"sha256:{computed.sha256}", *git]


def _rows(digests: Iterable[str]) -> list[RepoFile]:
    wanted = sorted(set(digests))
    rows: list[RepoFile] = []
    for at in range(0, len(wanted), QUERIED_AT_ONCE):
        batch = wanted[at : at + QUERIED_AT_ONCE]
        found = RepoFile.objects.filter(digest__in=batch, type=FileType.MODEL)
        rows += found.select_related("snapshot__repo")
    return rows


def _best(
    candidate: Candidate, weights: Mapping[str, Computed], rows: Iterable[RepoFile]
) -> Snapshot | None:
    """A commit that is its repository's newest goes before others, and one of the name that the
    place gives before all."""
    fitting = [
        snapshot
        for snapshot, files in snapshots.together(rows)
        if _has_all(candidate, weights, files)
    ]

    def rank(snapshot: Snapshot) -> tuple[bool, bool, bool, datetime]:
        repo = snapshot.repo
        named = (repo.author, repo.name) == (candidate.author, candidate.name)
        newest = repo.snapshot_id == snapshot.pk
        return named, named and repo.revision == candidate.revision, newest, snapshot.taken_at

    return max(fitting, key=rank, default=None)


def _has_all(
    candidate: Candidate, weights: Mapping[str, Computed], rows: Iterable[RepoFile]
) -> bool:
    known = {(row.path, row.digest) for row in rows}
    digests = {digest for _, digest in known}
    for path, computed in weights.items():
        own = _digests(computed)
        placed = any((path, digest) in known for digest in own)
        if not placed and not (candidate.alone and digests.intersection(own)):
            return False
    return True


def _identity(
    candidate: Candidate, computed: Mapping[str, Computed], snapshot: Snapshot
) -> Identity:
    repo = snapshot.repo
    rows = {row.path: row for row in snapshot.files.all()}
    by_digest = {row.digest: row for row in rows.values()}
    files, left = [], {}
    for path, found in computed.items():
        row = rows.get(path)
        if candidate.alone:
            row = next((by_digest[d] for d in _digests(found) if d in by_digest), row)
        trust = _trust(row, found)
        if row is not None and trust is not None:
            files.append(Named(path, row.path, trust, row.digest))
        else:
            verb = "is no file of" if row is None else "differs from that of"
            left[path] = f"{verb} {repo.full_name} at {snapshot.commit[:12]}"
    revision = repo.revision if repo.snapshot_id == snapshot.pk else snapshot.commit
    return Identity(
        source=repo.source,
        author=repo.author,
        name=repo.name,
        revision=revision,
        commit=snapshot.commit,
        files=tuple(files),
        snapshot=snapshot,
        left=left,
    )


def _trust(row: RepoFile | None, computed: Computed) -> Trust | None:
    """None when the bytes are others."""
    if row is None:
        return None
    if not row.digest:
        return Trust.LOCAL if row.size_bytes == computed.size else None
    return Trust.VERIFIED if row.digest in _digests(computed) else None


# Nobody's but ours


def _own(candidate: Candidate, computed: Mapping[str, Computed]) -> Identity:
    source, author, name = _names(candidate)
    listing = sorted((path, found.sha256) for path, found in computed.items())
    text = "\n".join(f"{sha256}  {path}" for path, sha256 in listing)
    return Identity(
        source=source,
        author=author,
        name=name,
        revision=candidate.revision,
        commit=hashlib.sha256(text.encode()).hexdigest(),
        files=tuple(Named(path, path, Trust.LOCAL) for path, _ in listing),
    )


def _names(candidate: Candidate) -> tuple[str, str, str]:
    if _is_of_the_hub(candidate):
        return registering.SOURCE, candidate.author, candidate.name
    author = safe_name(candidate.author) if candidate.author else ""
    return LOCAL, author[:LONGEST_NAME], safe_name(candidate.name)[:LONGEST_NAME]


def _is_of_the_hub(candidate: Candidate) -> bool:
    """The place says so, the name is one that the hub gives, and its files are not known."""
    if not candidate.from_hub or not candidate.author:
        return False
    full_name = f"{candidate.author}/{candidate.name}"
    try:
        ref = registering.read(full_name)
        registering.checked_revision(ref, candidate.revision)
    except (DownloadError, HubError):
        return False
    known = Repo.objects.filter(
        source=registering.SOURCE,
        author=candidate.author,
        name=candidate.name,
        revision=candidate.revision,
        synced_at__isnull=False,
    )
    return ref.target == full_name and not known.exists()
