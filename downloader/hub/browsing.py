"""Looking at repositories of the hub, tracked or not: branches and tags, the tree, what one is.

Answers of the source are kept for a minute; what of them is here is looked up each time. When the
source cannot be reached, what a sync wrote down is shown instead, and said to be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import cache
from django.core.signing import BadSignature, Signer

from downloader import configured
from downloader.hub import asking, recalling, registering, snapshots
from downloader.hub.errors import HubError
from downloader.hub.models import Snapshot
from downloader.hub.recalling import Line, Place
from downloader.library.errors import DownloadError
from downloader.library.sources.hub import Entry, Page, RefNames, Repository

T = TypeVar("T")
Answer = dict[str, Any]

KEPT_S = 60
MIRROR_PAGE = 1000
FROM_HUB, FROM_MIRROR = "hub", "mirror"
LONGEST_CURSOR = 2048


class BadCursor(HubError):
    code = "malformed_request"


def read(text: str) -> Answer:
    """What a pasted address, or `author/repo`, names. Nobody is asked."""
    ref = registering.read(text)
    author, _, repo = ref.target.rpartition("/")
    path = ref.selection[0].strip("/") if ref.selection else None
    return {"author": author, "repo": repo, "revision": ref.revision, "path": path}


# Branches and tags


def refs(at: Place, *, refresh: bool = False) -> Answer:
    """`branches` and `tags`, each with the commit it stands at."""
    try:
        found: RefNames = _kept(
            ("refs", at.full_name),
            lambda: asking.ask(lambda source, _client, limit: source.refs(at.full_name, limit)),
            refresh=refresh,
        )
    except DownloadError as error:
        return _refs_of_rows(at, error)
    return {
        "branches": [_ref(*pair) for pair in found.branches],
        "tags": [_ref(*pair) for pair in found.tags],
        "source": FROM_HUB,
    }


def _ref(name: str, commit: str) -> dict[str, str]:
    return {"name": name, "commit": commit}


def _refs_of_rows(at: Place, error: DownloadError) -> Answer:
    """The revisions that are tracked; which of them are tags is not known."""
    repos = list(recalling.tracked(at).exclude(snapshot=None))
    if not repos or not recalling.stands_in(error, repos):
        raise error
    named = [repo for repo in repos if not registering.COMMIT.fullmatch(repo.revision)]
    branches = [_ref(repo.revision, repo.commit) for repo in named]
    return {"branches": branches, "tags": [], "source": FROM_MIRROR}


# The repository


def repository(at: Place, *, refresh: bool = False) -> Answer:
    """What its card says, and whether it is tracked."""
    try:
        found: Repository = _kept(
            ("repo", at.full_name, at.revision),
            lambda: asking.ask(
                lambda source, _client, limit: source.repository(at.full_name, at.revision, limit)
            ),
            refresh=refresh,
        )
    except DownloadError as error:
        return {**_repository_of_rows(at, error), **_tracking(at)}
    return {**_described(found, at.revision), **_tracking(at)}


def _described(found: Repository, revision: str) -> Answer:
    author, _, name = found.id.rpartition("/")
    licences = [tag.removeprefix("license:") for tag in found.tags if tag.startswith("license:")]
    named = found.card.get("license_name") or found.card.get("license")
    return {
        "author": author,
        "repo": name,
        "revision": revision,
        "commit": found.commit,
        "licence": named if isinstance(named, str) else next(iter(licences), None),
        "gated": found.gated,
        "private": found.private,
        "tags": list(found.tags),
        "library": found.library,
        "pipeline": found.pipeline,
        "file_count": len(found.paths),
        "source": FROM_HUB,
    }


def _repository_of_rows(at: Place, error: DownloadError) -> Answer:
    repo, snapshot = recalling.instead_of(error, at)
    return {
        "author": repo.author,
        "repo": repo.name,
        "revision": at.revision,
        "commit": snapshot.commit,
        "licence": repo.licence or None,
        "gated": repo.gated,
        "private": repo.private,
        "tags": list(repo.metadata.get("tags", ())),
        "library": repo.metadata.get("library"),
        "pipeline": repo.metadata.get("pipeline"),
        "file_count": snapshot.file_count,
        "source": FROM_MIRROR,
    }


def _tracking(at: Place) -> Answer:
    repo = recalling.tracked(at).filter(revision=at.revision).first()
    if repo is None:
        return {"repo_id": None, "status": None, "is_downloaded": False, "size_bytes": None}
    return {
        "repo_id": repo.pk,
        "status": repo.status,
        "is_downloaded": repo.is_downloaded,
        "size_bytes": repo.snapshot.size_bytes if repo.snapshot else None,
    }


# The tree


def tree(at: Place, cursor: str | None = None, *, refresh: bool = False) -> Answer:
    """One page of the files and folders directly below a path, or of all files below it."""
    sort, mark = _opened(at, cursor)
    if sort == FROM_MIRROR:
        _repo, snapshot = recalling.still_known(at)
        return _page_of_rows(at, snapshot, mark)
    try:
        page: Page = _kept(
            ("tree", at.full_name, at.revision, at.path, str(at.deep), mark or ""),
            lambda: asking.ask(
                lambda source, _client, limit: source.tree(
                    at.full_name, at.revision, at.path, mark, limit, deep=at.deep
                )
            ),
            refresh=refresh,
        )
    except DownloadError as error:
        if cursor is not None:
            raise
        _repo, snapshot = recalling.instead_of(error, at)
        return _page_of_rows(at, snapshot, None)
    return {
        "files": _shown(at, page.entries),
        "next_cursor": _sealed(at, FROM_HUB, page.next_cursor),
        "source": FROM_HUB,
        "commit": at.revision if registering.COMMIT.fullmatch(at.revision) else None,
    }


def _shown(at: Place, entries: Iterable[Entry]) -> list[Line]:
    """Each entry with what of it is here. Names that no database can hold are left out."""
    wanted = [entry for entry in entries if not (at.deep and entry.is_folder)]
    kept = [entry for entry in wanted if snapshots.storable(entry.path)]
    digests = [str(entry.digest) for entry in kept if entry.digest]
    blobs = recalling.blobs([text for text in digests if not text.startswith("sha256:")])
    known = recalling.known(at) if any(entry.is_folder for entry in kept) else None
    whole = recalling.whole_folders(at, known[1]) if known else set()
    return [_line(entry, blobs, whole) for entry in kept]


def _line(entry: Entry, blobs: dict[str, str], whole: set[str]) -> Line:
    if entry.is_folder:
        return recalling.folder_line(entry.path, is_here=entry.path in whole)
    sha256 = blobs.get(str(entry.digest))
    if entry.digest is not None and entry.digest.algorithm == "sha256":
        sha256 = entry.digest.value
    is_here = sha256 is not None and configured.store().has(sha256, entry.size)
    return recalling.file_line(entry.path, entry.size, sha256, is_here=is_here)


def _page_of_rows(at: Place, snapshot: Snapshot, after: str | None) -> Answer:
    children = recalling.children(at, snapshot)
    left = [name for name in sorted(children) if after is None or name > after]
    shown = left[:MIRROR_PAGE]
    more = shown[-1] if len(left) > MIRROR_PAGE else None
    return {
        "files": [children[name] for name in shown],
        "next_cursor": _sealed(at, FROM_MIRROR, more),
        "source": FROM_MIRROR,
        "commit": snapshot.commit,
    }


# Keeping answers


def _kept(about: tuple[str, ...], work: Callable[[], T], *, refresh: bool) -> T:
    """An answer of the source, perhaps of a moment ago; errors are not kept."""
    key = _key(about)
    found: T | None = None if refresh else cache.get(key)
    if found is None:
        found = work()
        cache.set(key, found, KEPT_S)
    return found


def _key(about: tuple[str, ...]) -> str:
    """Of another endpoint, the same name is another repository."""
    told = settings.DOWNLOAD_SOURCE_SETTINGS.get(registering.SOURCE, {})
    text = "\0".join((told.get("endpoint", ""), *about))
    return f"hub:{hashlib.sha256(text.encode()).hexdigest()}"


# Marks of pages


def _signer(at: Place) -> Signer:
    return Signer(salt=f"hub.tree:{at.full_name}:{at.revision}:{at.path}:{at.deep}")


def _sealed(at: Place, sort: str, mark: str | None) -> str | None:
    return None if mark is None else _signer(at).sign_object([sort, mark])


def _opened(at: Place, cursor: str | None) -> tuple[str, str | None]:
    if cursor is None:
        return FROM_HUB, None
    try:
        sort, mark = _signer(at).unsign_object(cursor[:LONGEST_CURSOR])
    except (BadSignature, ValueError):
        raise BadCursor("The cursor is not one that this folder's list gave out.") from None
    return str(sort), str(mark)
