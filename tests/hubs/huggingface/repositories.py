"""Repositories: files in commits, commits under branches, tags and pull requests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from tests.hubs.content import Content, as_content

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
LFS_ABOVE = 10_000_000
LFS_SUFFIXES = frozenset(
    [".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".pkl", ".onnx", ".gguf", ".msgpack"]
) | frozenset([".h5", ".zip", ".gz", ".tar", ".7z", ".npz", ".parquet"])

Files = Mapping[str, Any]  # Content, bytes, text or a Path; None removes the file


@dataclass(frozen=True)
class Commit:
    sha: str
    files: Mapping[str, Content]
    title: str
    date: str
    parent: str | None

    @cached_property
    def paths(self) -> list[str]:
        """Files and the folders they lie in, sorted."""
        folders = {
            str(parent)
            for path in self.files
            for parent in PurePosixPath(path).parents
            if str(parent) not in (".", "/")
        }
        return sorted({*self.files, *folders})

    def below(self, folder: str, *, recursive: bool) -> list[str]:
        prefix = f"{folder}/" if folder else ""
        inside = (path for path in self.paths if path.startswith(prefix))
        return [path for path in inside if recursive or "/" not in path[len(prefix) :]]


@dataclass(frozen=True)
class Claim:
    """What the hub says of a file in place of the truth; None leaves the truth."""

    size: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None


@dataclass
class Repository:
    """`readers` are the accounts that may see it if it is private, and its files if it is gated.
    `lfs`: globs of what is stored as a large file; None: by suffix and size, like the real hub."""

    id: str
    private: bool = False
    gated: str | bool = False  # False, "auto" or "manual"
    disabled: bool = False
    readers: set[str] = field(default_factory=lambda: {"reader"})
    lfs: tuple[str, ...] | None = None
    card: Mapping[str, object] = field(default_factory=dict)
    library: str | None = None
    pipeline: str | None = None
    tags_shown: tuple[str, ...] = ()
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pull_requests: dict[str, str] = field(default_factory=dict)
    converts: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)

    @property
    def author(self) -> str | None:
        return self.id.partition("/")[0] if "/" in self.id else None

    def commit(self, files: Files, *, branch: str = "main", title: str = "Upload files") -> str:
        """Move the branch: files are added or replaced, None removes one. The new commit."""
        sha = self._commit(files, self.branches.get(branch), title)
        self.branches[branch] = sha
        return sha

    def branch(self, name: str, *, at: str = "main", files: Files | None = None) -> str:
        """A new branch at a revision, with a commit of its own if `files` are given."""
        self.branches[name] = self.resolve(at) or ""
        return self.commit(files, branch=name) if files else self.branches[name]

    def tag(self, name: str, *, at: str = "main") -> str:
        self.tags[name] = self.resolve(at) or ""
        return self.tags[name]

    def pull_request(self, number: int, files: Files, *, at: str = "main") -> str:
        """`refs/pr/<number>` with these changes."""
        sha = self._commit(files, self.resolve(at), f"Pull request {number}")
        self.pull_requests[f"refs/pr/{number}"] = sha
        return sha

    def announce(
        self,
        path: str,
        *,
        size: int | None = None,
        sha256: str | None = None,
        git_sha1: str | None = None,
    ) -> None:
        """Lie about a file wherever it is described: tree, info and the headers of `resolve`."""
        self.claims[path] = Claim(size, sha256, git_sha1)

    def resolve(self, revision: str) -> str | None:
        """The commit behind a branch, tag, pull request or commit."""
        for names in (self.branches, self.tags, self.pull_requests, self.converts):
            if revision in names:
                return names[revision]
        return revision if revision in self.commits else None

    def content(self, revision: str, path: str) -> Content | None:
        sha = self.resolve(revision)
        return self.commits[sha].files.get(path) if sha else None

    def is_lfs(self, path: str, content: Content) -> bool:
        if self.lfs is not None:
            return any(fnmatchcase(path, pattern) for pattern in self.lfs)
        return content.size > LFS_ABOVE or PurePosixPath(path).suffix in LFS_SUFFIXES

    def _commit(self, files: Files, parent: str | None, title: str) -> str:
        tree: dict[str, Content] = dict(self.commits[parent].files) if parent else {}
        for path, value in files.items():
            if value is None:
                del tree[path]
            else:
                tree[path] = as_content(value)
        number = len(self.commits)
        lines = [f"{path}\0{content.identity}" for path, content in sorted(tree.items())]
        words = "\n".join([self.id, parent or "", str(number), title, *lines])
        sha = hashlib.sha1(words.encode("utf-8", "surrogatepass"), usedforsecurity=False)
        date = (EPOCH + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        commit = Commit(sha.hexdigest(), tree, title, date, parent)
        self.commits[commit.sha] = commit
        return commit.sha
