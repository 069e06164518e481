"""What a bundle says it holds: frozen values, which `parsing` reads.

No address in it has a query or a user's part, so no token and no signed address travels along.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from downloader.library import bundles
from downloader.library.names import safe_path
from registry.descriptors import UNSTORABLE, Descriptor, InstalledFile, without_queries

DEEPEST = 16


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


def model_folder(model: Descriptor) -> PurePosixPath:
    return PurePosixPath(model.kind, f"{model.name}@{model.version}")


def installed(repo: BundledRepo) -> tuple[InstalledFile, ...]:
    """Its files as a revision's folder names them."""
    return tuple(
        InstalledFile(file.shown_as, file.sha256, file.size or 0, file.trust, file.digest or None)
        for file in repo.here
    )


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
