"""Revision folders, `<author>/<repo>/<revision>/…`: links to blobs, which show one commit.

A folder of the same commit is built anew with more files in it; one of another commit takes its
place whole, and the old one stays reachable under its commit. `.dreamforge.json` in it says which
commit it is and what its files are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from downloader.library import install, strangers
from downloader.library.errors import InvalidFile, UnsafeName
from downloader.library.refs import NO_AUTHOR
from downloader.library.store import REVISION_DESCRIPTOR, Claim, Store
from downloader.library.store.layout import SHA256, file_parts
from downloader.library.watch import Control, Observer
from registry.descriptors import UNSTORABLE, InstalledFile

SCHEMA_VERSION = 1
QUIET = Observer()


@dataclass(frozen=True)
class Revision:
    """Which commit of which repository a folder shows, and what of it is here."""

    source: str
    repo: str
    revision: str
    commit: str
    files: tuple[InstalledFile, ...] = ()
    licence: str | None = None
    page: str | None = None
    written_at: str = ""

    @property
    def folder(self) -> PurePosixPath:
        return folder_of(self.repo, self.revision)

    @property
    def pinned(self) -> PurePosixPath:
        """Where it stays when its branch has moved on."""
        return folder_of(self.repo, self.commit)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "source": self.source,
            "repo": self.repo,
            "revision": self.revision,
            "commit": self.commit,
            "licence": self.licence,
            "page": self.page,
            "written_at": self.written_at,
            "files_json": [file.to_json() for file in self.files],
        }


def folder_of(repo: str, revision: str) -> PurePosixPath:
    """Slashes of a revision are percent-encoded; a dot at the start is too, so that no revision
    is `..` or hidden."""
    author, _, name = repo.rpartition("/")
    encoded = quote(revision, safe="")
    if encoded.startswith("."):
        encoded = f"%2E{encoded[1:]}"
    return PurePosixPath(author or NO_AUTHOR, name, encoded)


def read(folder: PurePosixPath, store: Store) -> Revision | None:
    """None when no revision is shown there; InvalidFile when its descriptor cannot be used."""
    data = store.read_file(folder, REVISION_DESCRIPTOR)
    if data is None:
        return None
    try:
        told = json.loads(data)
        texts = {name: _text(told[name]) for name in ("source", "repo", "revision", "commit")}
        files = tuple(_file(entry) for entry in told["files_json"])
        return Revision(
            **texts,
            files=files,
            licence=told.get("licence"),
            page=told.get("page"),
            written_at=str(told.get("written_at", "")),
        )
    except (
        UnsafeName,
        ValueError,
        OverflowError,
        RecursionError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise InvalidFile(
            f"{folder}/{REVISION_DESCRIPTOR} cannot be read. Download the revision again."
        ) from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or UNSTORABLE.search(value):
        raise TypeError("not a text")
    return value


def _file(entry: Mapping[str, Any]) -> InstalledFile:
    digest = entry.get("source_digest")
    size, sha256 = int(entry["size"]), _text(entry["sha256"])
    if size < 0 or not SHA256.fullmatch(sha256):
        raise ValueError("no blob of ours")
    return InstalledFile(
        path="/".join(file_parts(_text(entry["path"]))),
        sha256=sha256,
        size=size,
        trust=_text(entry["trust"]),
        source_digest=None if digest is None else _text(digest),
    )


def publish(wanted: Revision, store: Store, claim: Claim) -> Revision:
    """Show `wanted` at its folder. Files of the same commit that are shown already stay; a folder
    of another commit is kept under that commit and replaced. `claim` holds the blobs of `wanted`.
    The answer is what stands there afterwards."""
    with store.lock(f"revision:{wanted.folder}", Control(), QUIET):
        standing = standing_at(wanted.folder, store)
        if standing is not None and standing.commit != wanted.commit:
            claim.add(blobs=[file.sha256 for file in standing.files])
            _put(replace(standing, revision=standing.commit), store, claim)
        return _put(wanted, store, claim)


def _put(wanted: Revision, store: Store, claim: Claim) -> Revision:
    standing = standing_at(wanted.folder, store)
    kept = standing.files if standing and standing.commit == wanted.commit else ()
    files = {file.path: file for file in (*kept, *wanted.files)}
    made = replace(
        wanted, files=tuple(files[path] for path in sorted(files)), written_at=install.now()
    )
    if standing is not None and standing.commit == made.commit and standing.files == made.files:
        relink(standing, store, claim)
        return standing
    _build(made, store, claim)
    return made


def _build(made: Revision, store: Store, claim: Claim) -> None:
    """A file whose blob went missing stays in the descriptor, and is found missing when somebody
    verifies it."""
    claim.add(blobs=[file.sha256 for file in made.files])
    with store.build(made.folder, claim) as building:
        for file in made.files:
            if store.has(file.sha256, file.size):
                building.place(file.sha256, file.path)
        strangers.carry(store, made.folder, _named(made.folder, store), made.files, building)
        # Last, so that a folder with a descriptor is a whole one even if it is copied meanwhile.
        building.write(REVISION_DESCRIPTOR, encoded(made))
        building.publish(replace=True)


def _named(folder: PurePosixPath, store: Store) -> set[str]:
    standing = standing_at(folder, store)
    return {file.path for file in standing.files} if standing else set()


def withdraw(folder: PurePosixPath, paths: Iterable[str], store: Store) -> Revision | None:
    """Take files out of a revision's folder, all at once; None when nothing is left there. Their
    blobs stay until they are collected."""
    gone = set(paths)
    with store.lock(f"revision:{folder}", Control(), QUIET):
        standing = read(folder, store)
        if standing is None:
            return None
        left = tuple(file for file in standing.files if file.path not in gone)
        if not left:
            strangers.remove_folder(store, folder, {file.path for file in standing.files})
            return None
        made = replace(standing, files=left, written_at=install.now())
        with store.claim() as claim:
            _build(made, store, claim)
        return made


def relink(standing: Revision, store: Store, claim: Claim) -> tuple[str, ...]:
    """Put back links that are missing or lead elsewhere, as far as the store has their bytes; the
    paths that were."""
    put_back = []
    for file in standing.files:
        how = store.placed(standing.folder, file.path, file.sha256, file.size)
        if how is None and store.has(file.sha256, file.size):
            store.replace_link(standing.folder, file.path, file.sha256, claim)
            put_back.append(file.path)
    return tuple(put_back)


def standing_at(folder: PurePosixPath, store: Store) -> Revision | None:
    """What is shown there, if it can be read."""
    try:
        return read(folder, store)
    except InvalidFile:
        return None


def encoded(revision: Revision) -> bytes:
    return json.dumps(revision.to_json(), indent=1, ensure_ascii=False).encode() + b"\n"
