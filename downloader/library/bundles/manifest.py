"""What a bundle says it holds: frozen values, read as strictly as if a stranger had written them.

No address in it has a query or a user's part, so no token and no signed address travels along.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar

from downloader.library import bundles, refs
from downloader.library.checksums import Digest
from downloader.library.errors import DownloadError, InvalidFile
from downloader.library.names import check_together, safe_name, safe_path, safe_version
from downloader.library.refs import Ref
from registry.descriptors import TRUST, UNSTORABLE, Descriptor, InstalledFile, without_queries
from registry.errors import InvalidDescriptor

SOURCES = ("hf",)
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40,64}")
DEEPEST = 16
MOST_BYTES = 1 << 62
T = TypeVar("T")


@dataclass(frozen=True)
class BundledFile:
    """`path` as its source spells it; `sha256` is empty when the bytes were not there."""

    path: str
    size: int | None = None
    digest: str = ""
    sha256: str = ""
    trust: str = "unverified"

    @property
    def shown_as(self) -> str:
        """Its path below the revision's folder."""
        return safe_path(self.path)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "size": self.size,
            "source_digest": self.digest or None,
            "sha256": self.sha256 or None,
            "trust": self.trust,
        }


@dataclass(frozen=True)
class BundledRepo:
    """One revision of a repository, at one commit."""

    source: str
    author: str
    name: str
    revision: str
    commit: str
    seen_at: str  # when its source was asked
    files: tuple[BundledFile, ...]
    gated: bool = False
    private: bool = False
    licence: str = ""
    page: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "page", without_queries(self.page))
        object.__setattr__(self, "metadata", _clean(dict(self.metadata)))

    @property
    def full_name(self) -> str:
        return f"{self.author}/{self.name}" if self.author else self.name

    @property
    def here(self) -> tuple[BundledFile, ...]:
        """Those whose bytes belong to it."""
        return tuple(file for file in self.files if file.sha256)

    def __str__(self) -> str:
        return f"{self.full_name}@{self.revision}"

    def to_json(self) -> dict[str, Any]:
        plain = ("source", "author", "name", "revision", "commit", "seen_at", "gated", "private")
        return {
            **{name: getattr(self, name) for name in plain},
            "licence": self.licence,
            "page": self.page,
            "metadata": dict(self.metadata),
            "files": [file.to_json() for file in self.files],
        }


class Use(NamedTuple):
    label: str  # as people know it
    path: str  # below its model's or revision's folder


@dataclass(frozen=True)
class Manifest:
    """`blobs`: sizes of all that its repositories and models need; `left_out`: those of them that
    are not in the bundle, because the other side has them."""

    repos: tuple[BundledRepo, ...]
    models: tuple[Descriptor, ...]
    made_at: str
    left_out: frozenset[str] = frozenset()

    @cached_property
    def blobs(self) -> dict[str, int]:
        found = {file.sha256: file.size for model in self.models for file in model.files}
        for repo in self.repos:
            found |= {file.sha256: file.size or 0 for file in repo.here}
        return dict(sorted(found.items()))

    @cached_property
    def carried(self) -> dict[str, int]:
        """Those that are in the bundle."""
        return {sha: size for sha, size in self.blobs.items() if sha not in self.left_out}

    def named(self, sha256: str) -> str:
        """A file with these bytes, for messages."""
        uses = self.uses.get(sha256)
        return uses[0].label if uses else sha256

    @cached_property
    def uses(self) -> dict[str, list[Use]]:
        """The files that show each blob."""
        found: dict[str, list[Use]] = {}
        for model in self.models:
            for file in model.files:
                use = Use(f"{model.local_path}/{file.path}", file.path)
                found.setdefault(file.sha256, []).append(use)
        for repo in self.repos:
            for bundled in repo.here:
                use = Use(f"{repo}/{bundled.path}", bundled.path)
                found.setdefault(bundled.sha256, []).append(use)
        return found

    def encoded(self) -> bytes:
        told = {
            "format": bundles.FORMAT,
            "format_version": bundles.FORMAT_VERSION,
            "made_at": self.made_at,
            "blobs": [
                {"sha256": sha, "size": size, "in_bundle": sha not in self.left_out}
                for sha, size in self.blobs.items()
            ],
            "models": [model.to_json() for model in self.models],
            "repos": [repo.to_json() for repo in self.repos],
        }
        return json.dumps(told, indent=1).encode() + b"\n"


def inventory(blobs: Mapping[str, int]) -> dict[str, Any]:
    """What a machine has, for another one to leave out."""
    return {
        "format": bundles.INVENTORY,
        "format_version": bundles.FORMAT_VERSION,
        "blobs": [{"sha256": sha, "size": size} for sha, size in sorted(blobs.items())],
    }


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
    _agree(manifest, told)
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


def model_folder(model: Descriptor) -> PurePosixPath:
    return PurePosixPath(model.kind, f"{model.name}@{model.version}")


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


def installed(repo: BundledRepo) -> tuple[InstalledFile, ...]:
    """Its files as a revision's folder names them."""
    return tuple(
        InstalledFile(file.shown_as, file.sha256, file.size or 0, file.trust, file.digest or None)
        for file in repo.here
    )


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


def _clean(value: Any, depth: int = DEEPEST) -> Any:
    """As every database keeps it; addresses without their queries."""
    if isinstance(value, str):
        return without_queries(UNSTORABLE.sub("\ufffd", unicodedata.normalize("NFC", value)))
    if isinstance(value, Mapping) and depth:
        return {str(_clean(key)): _clean(part, depth - 1) for key, part in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [_clean(part, depth - 1) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int) else None
