"""How the hub describes repositories and files, as values for JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tests.hubs.content import Content
from tests.hubs.faults import pointer
from tests.hubs.huggingface.repositories import Claim, Commit, Repository

type_file, type_folder = "file", "directory"


def git_oid(repository: Repository, path: str, content: Content) -> str:
    """The name of the blob in git: of the pointer, for a large file."""
    claimed = repository.claims.get(path, Claim()).git_sha1
    if claimed:
        return claimed
    if not repository.is_lfs(path, content):
        return content.git_sha1
    words = pointer(content).encode()
    blob = b"blob %d\0" % len(words) + words
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def sha256(repository: Repository, path: str, content: Content) -> str:
    return repository.claims.get(path, Claim()).sha256 or content.sha256


def size(repository: Repository, path: str, content: Content) -> int:
    claimed = repository.claims.get(path, Claim()).size
    return content.size if claimed is None else claimed


def xet_hash(content: Content) -> str:
    """64 digits that are not the SHA-256."""
    return hashlib.sha256(b"xet" + content.sha256.encode()).hexdigest()


def entry(
    repository: Repository, commit: Commit, path: str, *, expand: bool = False
) -> dict[str, object]:
    """A line of a tree."""
    content = commit.files.get(path)
    if content is None:
        oid = hashlib.sha1(f"{commit.sha}/{path}".encode(), usedforsecurity=False).hexdigest()
        described: dict[str, object] = {"type": type_folder, "oid": oid, "size": 0, "path": path}
    else:
        described = _file(repository, path, content)
    if expand:
        described["lastCommit"] = {"id": commit.sha, "title": commit.title, "date": commit.date}
        if content is not None:
            described["securityFileStatus"] = _scans()
    return described


def _file(repository: Repository, path: str, content: Content) -> dict[str, object]:
    described: dict[str, object] = {
        "type": type_file,
        "oid": git_oid(repository, path, content),
        "size": size(repository, path, content),
        "path": path,
    }
    if repository.is_lfs(path, content):
        described["lfs"] = {
            "oid": sha256(repository, path, content),
            "size": size(repository, path, content),
            "pointerSize": len(pointer(content)),
        }
        described["xetHash"] = xet_hash(content)
    return described


def _scans() -> dict[str, object]:
    return {
        "status": "safe",
        "avScan": {"status": "safe", "virusNames": []},
        "pickleImportScan": None,
        "jFrogScan": {"status": "safe"},
    }


def sibling(
    repository: Repository, path: str, content: Content, *, blobs: bool
) -> dict[str, object]:
    if not blobs:
        return {"rfilename": path}
    described: dict[str, object] = {
        "rfilename": path,
        "blobId": git_oid(repository, path, content),
        "size": size(repository, path, content),
    }
    if repository.is_lfs(path, content):
        described["lfs"] = {
            "sha256": sha256(repository, path, content),
            "size": size(repository, path, content),
            "pointerSize": len(pointer(content)),
        }
    return described


def info(repository: Repository, commit: Commit, *, blobs: bool = False) -> dict[str, object]:
    """All that is known of a repository at a commit."""
    return {
        **summary(repository),
        "author": repository.author,
        "sha": commit.sha,
        "lastModified": commit.date,
        "gated": repository.gated,
        "disabled": repository.disabled,
        "cardData": dict(repository.card),
        "siblings": [
            sibling(repository, path, content, blobs=blobs)
            for path, content in sorted(commit.files.items())
        ],
        "spaces": [],
        "usedStorage": sum(content.size for content in commit.files.values()),
    }


def summary(repository: Repository) -> dict[str, object]:
    """What a list shows."""
    licence = repository.card.get("license")
    tags = [*repository.tags_shown, *([f"license:{licence}"] if licence else [])]
    return {
        "_id": hashlib.md5(repository.id.encode(), usedforsecurity=False).hexdigest()[:24],
        "id": repository.id,
        "modelId": repository.id,
        "private": repository.private,
        "pipeline_tag": repository.pipeline,
        "library_name": repository.library,
        "tags": tags,
        "downloads": 0,
        "likes": 0,
        "createdAt": "2025-01-01T00:00:00.000Z",
    }


def refs(repository: Repository, *, pull_requests: bool) -> dict[str, object]:
    described: dict[str, object] = {
        "tags": _named(repository.tags, "refs/tags/"),
        "branches": _named(repository.branches, "refs/heads/"),
        "converts": _named(repository.converts, ""),
    }
    if pull_requests:
        described["pullRequests"] = _named(repository.pull_requests, "")
    return described


def _named(names: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"{prefix}{name}", "targetCommit": commit}
        for name, commit in sorted(names.items())
    ]
