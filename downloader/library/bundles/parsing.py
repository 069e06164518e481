"""Reading a manifest as strictly as if a stranger had written it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from downloader.library import bundles, refs
from downloader.library.bundles.manifest import (
    BundledFile,
    BundledRepo,
    Manifest,
    model_folder,
)
from downloader.library.checksums import Digest
from downloader.library.errors import DownloadError, InvalidFile
from downloader.library.names import check_together, safe_name, safe_path, safe_version
from downloader.library.refs import Ref
from registry.descriptors import TRUST, UNSTORABLE, Descriptor
from registry.errors import InvalidDescriptor

SOURCES = ("hf",)
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40,64}")
MOST_BYTES = 1 << 62
T = TypeVar("T")


def known_blobs(data: bytes) -> frozenset[str]:
    """Of an inventory, or of the manifest of an earlier bundle."""
    told = _opened(data, (bundles.FORMAT, bundles.INVENTORY))
    return frozenset(_reading(lambda: [_sha256(row["sha256"]) for row in told["blobs"]]))


def parse(data: bytes) -> Manifest:
    """InvalidFile, or UnsafeName for a path that must not reach a disk."""
    told = _opened(data, (bundles.FORMAT,))
    manifest = _reading(lambda: _manifest(told))
    for repo in manifest.repos:
        check_together(file.shown_as for file in repo.here)
    for model in manifest.models:
        check_together(safe_path(file.path) for file in model.files)
    _reading(lambda: _agree(manifest, told))
    return manifest


def _opened(data: bytes, formats: Sequence[str]) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidFile("The manifest is not JSON.") from error
    if not isinstance(told, dict) or told.get("format") not in formats:
        raise InvalidFile(f"The manifest is not one of the format {' or '.join(formats)}.")
    if told.get("format_version") != bundles.FORMAT_VERSION:
        raise InvalidFile(
            f"The bundle is of format version {str(told.get('format_version'))[:20]}, and this "
            f"program knows {bundles.FORMAT_VERSION}: update the older of the two machines."
        )
    return told


def _reading(read: Callable[[], T]) -> T:
    try:
        return read()
    except InvalidDescriptor as error:
        raise InvalidFile(f"A model of the bundle cannot be used: {error.message}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidFile(f"The manifest cannot be used: {str(error)[:200]}.") from error


def _manifest(told: Mapping[str, Any]) -> Manifest:
    blobs = {_sha256(row["sha256"]): _truth(row["in_bundle"]) for row in told["blobs"]}
    return Manifest(
        repos=tuple(_repo(row) for row in told["repos"]),
        models=tuple(_model(row) for row in told["models"]),
        made_at=_text(told["made_at"], 40),
        left_out=frozenset(sha for sha, here in blobs.items() if not here),
    )


def _agree(manifest: Manifest, told: Mapping[str, Any]) -> None:
    """The list of blobs is what the files need, and one blob has one size."""
    listed = {row["sha256"]: row["size"] for row in told["blobs"]}
    sizes: dict[str, set[int]] = {}
    files = [file for model in manifest.models for file in model.files]
    for sha256, size in (
        *((file.sha256, file.size) for file in files),
        *((file.sha256, file.size or 0) for repo in manifest.repos for file in repo.here),
    ):
        sizes.setdefault(sha256, set()).add(size)
    if {sha: {size} for sha, size in listed.items()} != sizes:
        raise InvalidFile("The manifest contradicts itself: its blobs are not those of its files.")


def _model(row: Any) -> Descriptor:
    """Its folder is worked out here, whatever it says."""
    model = Descriptor.from_json(row)
    names = (safe_name(model.name), safe_version(model.version))
    if names != (model.name, model.version) or not model.installed:
        raise ValueError(f"the model {model.name[:120]!r} has no name for a folder")
    if not model.files or any(safe_path(file.path) != file.path for file in model.files):
        raise ValueError(f"the model {model.name[:120]!r} has no files, or one that has no name")
    return replace(model, local_path=str(model_folder(model)))


def _repo(row: Any) -> BundledRepo:
    text = partial(_taken, row, _text)
    repo = BundledRepo(
        source=text("source", 32),
        author=text("author", 96),
        name=text("name", 96),
        revision=text("revision", 512),
        commit=text("commit", 64),
        seen_at=text("seen_at", 40),
        files=tuple(_file(file) for file in row["files"]),
        gated=_truth(row["gated"]),
        private=_truth(row["private"]),
        licence=text("licence", 200),
        page=text("page", 2048),
        metadata=_object(row["metadata"]),
    )
    _check_repo(repo)
    return repo


def _check_repo(repo: BundledRepo) -> None:
    ref = Ref(repo.source, repo.full_name, repo.revision)
    try:
        same = repo.source in SOURCES and refs.parse(str(ref)) == ref
    except DownloadError as error:
        raise ValueError(f"{str(ref)[:200]!r} names no repository") from error
    if not same or not COMMIT.fullmatch(repo.commit):
        raise ValueError(f"{str(ref)[:200]!r} names no repository, or no commit of it")
    paths = [file.path for file in repo.files]
    if len(set(paths)) != len(paths):
        raise ValueError(f"{str(ref)[:200]!r} lists a file twice")


def _file(row: Any) -> BundledFile:
    sha256, size, digest = row["sha256"], row["size"], row["source_digest"]
    file = BundledFile(
        path=_text(row["path"], 1024),
        size=None if size is None else _size(size),
        digest="" if digest is None else _text(digest, 140),
        sha256="" if sha256 is None else _sha256(sha256),
        trust=_text(row["trust"], 16),
    )
    if file.digest:
        Digest(*file.digest.partition(":")[::2])  # or ValueError
    if not file.path or file.trust not in TRUST or (file.sha256 and file.size is None):
        raise ValueError(f"the file {file.path[:120]!r} is not described rightly")
    return file


def _taken(row: Any, read: Callable[[Any, int], str], key: str, longest: int) -> str:
    return read(row[key], longest)


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or UNSTORABLE.search(value):
        raise TypeError(f"{str(value)[:60]!r} is not a text of at most {longest} characters")
    return value


def _sha256(value: Any) -> str:
    if not isinstance(value, str) or not SHA256.fullmatch(value):
        raise ValueError(f"{str(value)[:80]!r} is not a SHA-256")
    return value


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MOST_BYTES:
        raise ValueError(f"{str(value)[:40]!r} is not a number of bytes")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{str(value)[:40]!r} is neither true nor false")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is not an object")
    return value
