"""The hub's JSON of repositories, files, trees and people: functions of values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from downloader.hub.models import Repo
from downloader.hub.serving.holdings import Held, Shelf, pointer

Json = dict[str, Any]


def info(on: Shelf, files: Sequence[Held], *, blobs: bool) -> Json:
    """A repository at a commit. The hub's counts of downloads and likes are not known here."""
    repo = on.repo
    return {
        "_id": hashlib.sha256(repo.full_name.encode()).hexdigest()[:24],
        "id": repo.full_name,
        "modelId": repo.full_name,
        "author": repo.author or None,
        "sha": on.commit,
        "createdAt": _time(repo.created_at),
        "lastModified": _time(on.snapshot.taken_at),
        "private": repo.private,
        "gated": "auto" if repo.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": _tags(repo),
        "pipeline_tag": repo.metadata.get("pipeline"),
        "library_name": repo.metadata.get("library"),
        "cardData": _card(repo),
        "siblings": [_sibling(file, blobs=blobs) for file in files],
        "spaces": [],
        "usedStorage": sum(file.size for file in files),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tags(repo: Repo) -> list[str]:
    tags = [str(tag) for tag in repo.metadata.get("tags", ())]
    licence = f"license:{repo.licence}"
    return [*tags, licence] if repo.licence and licence not in tags else tags


def _card(repo: Repo) -> Json:
    facts = {"license": repo.licence, "base_model": repo.metadata.get("base_model")}
    return {name: value for name, value in facts.items() if value}


def _sibling(file: Held, *, blobs: bool) -> Json:
    if not blobs:
        return {"rfilename": file.path}
    described: Json = {"rfilename": file.path, "blobId": file.oid, "size": file.size}
    if file.large:
        described["lfs"] = {"sha256": file.large, **_large(file)}
    return described


def _large(file: Held) -> Json:
    return {"size": file.size, "pointerSize": len(pointer(file.large, file.size))}


# Trees


def tree(files: Iterable[Held], folder: str, *, recursive: bool) -> list[Json]:
    """Files and folders below `folder`, by path; without `recursive` only those directly below."""
    prefix = f"{folder}/" if folder else ""
    below = {file.path: file for file in files if file.path.startswith(prefix)}
    lines = {path: entry(file) for path, file in below.items()}
    lines |= {path: _folder(path) for path in folders(below) if path.startswith(prefix)}
    return [
        lines[path]
        for path in sorted(lines)
        if path != folder and (recursive or "/" not in path[len(prefix) :])
    ]


def folders(paths: Iterable[str]) -> set[str]:
    """All that these files lie in."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return found - {".", "/"}


def entry(file: Held) -> Json:
    described: Json = {"type": "file", "oid": file.oid, "size": file.size, "path": file.path}
    if file.large:
        described["lfs"] = {"oid": file.large, **_large(file)}
    return described


def _folder(path: str) -> Json:
    """Git's name of a folder needs the trees of everything below, which is not known here."""
    oid = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": path}


def entries(files: Sequence[Held], wanted: Iterable[str]) -> list[Json]:
    """Those of the `wanted` paths that are there."""
    by_path = {file.path: file for file in files}
    within = folders(by_path)
    asked = [path.strip("/") for path in wanted]
    return [
        entry(by_path[path]) if path in by_path else _folder(path)
        for path in dict.fromkeys(asked)
        if path in by_path or path in within
    ]


# References and people


def refs(shelves: Iterable[tuple[str, Shelf]], *, pull_requests: bool) -> Json:
    """By revision. Whether a name is a branch or a tag upstream is not known here: it is told as a
    branch."""
    found: dict[str, list[Json]] = {"branches": [], "tags": [], "converts": []}
    if pull_requests:
        found["pullRequests"] = []
    for revision, on in shelves:
        sort, ref = _sort(revision)
        if sort in found and revision != on.commit:
            found[sort].append({"name": revision, "ref": ref, "targetCommit": on.commit})
    return found


def _sort(revision: str) -> tuple[str, str]:
    if revision.startswith("refs/pr/"):
        return "pullRequests", revision
    if revision.startswith("refs/convert/"):
        return "converts", revision
    return "branches", f"refs/heads/{revision}"


def person(user_id: object, username: str, key_name: str) -> Json:
    return {
        "type": "user",
        "id": str(user_id),
        "name": username,
        "fullname": username,
        "isPro": False,
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": {"displayName": key_name, "role": "read"},
        },
    }
