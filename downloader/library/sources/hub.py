"""What a Hugging Face hub says about a repository: commit, branches, tags, files.

`Hub` asks through huggingface_hub and answers with frozen values; nothing of the library's, no
error either, comes out of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from huggingface_hub import HfApi, get_session, hf_raise_for_status
from huggingface_hub.hf_api import ModelInfo, RepoSibling

from downloader.library.checksums import Digest
from downloader.library.errors import DownloadError, InvalidRef, ProtocolViolation
from downloader.library.http import Client
from downloader.library.sources.hub_failures import FOREIGN, Asked, translated
from downloader.library.sources.hub_session import through
from downloader.library.watch import Control

T = TypeVar("T")

COMMIT = re.compile(r"[0-9a-f]{40}")
# The library's own rule, so that the message is ours.
REPO_ID = re.compile(
    r"(?!.*(?:--|\.\.|\.git\Z))(?:\w(?:[\w.-]*\w)?/)?\w(?:[\w.-]{0,94}\w)?", re.ASCII
)
SHA256 = re.compile(r"[0-9a-f]{64}")
REVISION_LENGTH = 512
MOST_ENTRIES = 500_000  # no repository of models comes near; a listing without end does


@dataclass(frozen=True)
class Repository:
    id: str  # as the hub spells it today, also when it was asked for under an older name
    commit: str
    author: str
    gated: bool
    private: bool
    tags: tuple[str, ...]
    card: dict[str, Any]
    library: str | None
    pipeline: str | None
    paths: frozenset[str]  # of its files; the hub may have left some out


@dataclass(frozen=True)
class Entry:
    """One line of a tree. `digest` is the LFS SHA-256, else the git blob SHA-1."""

    path: str
    is_folder: bool
    size: int | None = None
    digest: Digest | None = None


@dataclass(frozen=True)
class Page:
    entries: tuple[Entry, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class RefNames:
    """Names with the commit each stands at, in the hub's order."""

    branches: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]


class Hub:
    def __init__(self, client: Client, endpoint: str, token: str | None) -> None:
        self.client = client
        self.endpoint = endpoint
        self.token = token
        # False: the token goes with our client, and none is looked for in the user's home.
        self._api = HfApi(endpoint=endpoint, token=False)

    def repository(self, repo_id: str, revision: str, control: Control) -> Repository:
        """What `revision` (a branch, tag, commit or `refs/pr/3`) is at this moment."""

        def call() -> Repository:
            return _repository(self._api.model_info(repo_id, revision=_revision(revision)))

        return self._ask(call, control, repo_id, revision)

    def refs(self, repo_id: str, control: Control) -> RefNames:
        def call() -> RefNames:
            known = self._api.list_repo_refs(repo_id)
            return RefNames(
                tuple((ref.name, ref.target_commit) for ref in known.branches),
                tuple((ref.name, ref.target_commit) for ref in known.tags),
            )

        return self._ask(call, control, repo_id)

    def page(
        self,
        repo_id: str,
        revision: str,
        control: Control,
        *,
        path: str = "",
        cursor: str | None = None,
        recursive: bool = False,
    ) -> Page:
        """One page of the tree below `path`; go on with its `next_cursor` until that is None."""

        def call() -> Page:
            folder = "/" + quote(path, safe="") if path else ""
            tree = f"{self.endpoint}/api/models/{repo_id}/tree/{_quoted(revision)}{folder}"
            asked = {"recursive": recursive, "expand": False}
            response = get_session().get(
                tree,
                params=asked | ({"cursor": cursor} if cursor else {}),
            )
            hf_raise_for_status(response)
            entries = tuple(_entry(row) for row in response.json())
            return Page(entries, _cursor(response.links.get("next", {}).get("url")))

        return self._ask(call, control, repo_id, revision, path)

    def files(self, repository: Repository, control: Control) -> Iterator[Entry]:
        """Every file of the commit, complete however many there are: page by page from the tree,
        and what the tree leaves out of those that are known from a description of them all."""
        missing = set(repository.paths)
        for entry in self._tree(repository, control):
            missing.discard(entry.path)
            yield entry
        if missing:
            described = self._described(repository, control)
            yield from (entry for entry in described if entry.path in missing)

    def _tree(self, repository: Repository, control: Control) -> Iterator[Entry]:
        cursor, seen, count = None, set[str](), 0
        while True:
            page = self.page(
                repository.id, repository.commit, control, cursor=cursor, recursive=True
            )
            yield from (entry for entry in page.entries if not entry.is_folder)
            cursor, count = page.next_cursor, count + len(page.entries)
            if cursor is None:
                return
            if cursor in seen or count > MOST_ENTRIES:
                raise ProtocolViolation(f"{self.endpoint} lists {repository.id} without end.")
            seen.add(cursor)

    def _described(self, repository: Repository, control: Control) -> tuple[Entry, ...]:
        def call() -> tuple[Entry, ...]:
            info = self._api.model_info(
                repository.id, revision=repository.commit, files_metadata=True
            )
            return tuple(_sibling(sibling) for sibling in info.siblings or ())

        return self._ask(call, control, repository.id, repository.commit)

    def _ask(
        self,
        call: Callable[[], T],
        control: Control,
        repo_id: str,
        revision: str | None = None,
        path: str = "",
    ) -> T:
        """The answer, or one of our errors; not even its context leads to the library's."""
        failure: DownloadError
        if not REPO_ID.fullmatch(repo_id):
            raise InvalidRef(
                f"{repo_id[:120]!r} is not the name of a Hugging Face repository: that is "
                "author/name, of letters, digits, '-', '_' and '.'."
            )
        try:
            with through(self.client, self.endpoint, self.token, control):
                return call()
        except FOREIGN as error:
            asked = Asked(self.endpoint, repo_id, revision, path, self.token is not None)
            failure = translated(error, asked)
        raise failure


def _revision(text: str) -> str:
    if not 0 < len(text) <= REVISION_LENGTH or not text.isprintable():
        raise InvalidRef("A revision is a branch, a tag, a commit or refs/pr/<number>.")
    return text


def _quoted(revision: str) -> str:
    return quote(_revision(revision), safe="")


def _cursor(link: str | None) -> str | None:
    """The mark of the next page. The rest of the link is not followed, wherever it leads."""
    if not link:
        return None
    return parse_qs(urlsplit(link).query)["cursor"][0]


def _repository(info: ModelInfo) -> Repository:
    if not REPO_ID.fullmatch(info.id) or not COMMIT.fullmatch(info.sha or ""):
        raise ValueError("no repository")
    card = info.card_data.to_dict() if info.card_data else {}  # type: ignore[no-untyped-call]
    return Repository(
        id=info.id,
        commit=str(info.sha),
        author=info.author or info.id.rpartition("/")[0],
        gated=bool(info.gated),
        private=bool(info.private),
        tags=tuple(str(tag) for tag in info.tags or ()),
        card=card,
        library=info.library_name,
        pipeline=info.pipeline_tag,
        paths=frozenset(sibling.rfilename for sibling in info.siblings or ()),
    )


def _entry(row: dict[str, Any]) -> Entry:
    path = row["path"]
    if not isinstance(path, str):
        raise TypeError("path")
    if row["type"] != "file":
        return Entry(path, is_folder=True)
    lfs = row.get("lfs")
    return Entry(
        path,
        is_folder=False,
        size=_size(lfs["size"] if lfs else row["size"]),
        digest=_digest(lfs["oid"], "sha256") if lfs else _digest(row["oid"], "git-sha1"),
    )


def _sibling(sibling: RepoSibling) -> Entry:
    lfs = sibling.lfs
    return Entry(
        sibling.rfilename,
        is_folder=False,
        size=_size(lfs.size if lfs else sibling.size),
        digest=_digest(lfs.sha256, "sha256") if lfs else _digest(sibling.blob_id, "git-sha1"),
    )


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("size")
    return value


def _digest(value: Any, algorithm: str) -> Digest | None:
    """A digest that has the form of one; anything else is as good as none."""
    form = SHA256 if algorithm == "sha256" else COMMIT
    if not isinstance(value, str) or not form.fullmatch(value.lower()):
        return None
    return Digest(algorithm, value.lower())
