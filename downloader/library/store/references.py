"""Which folders need which blobs: read from their descriptors on the disk, not from a database, so
that no row can be missing for a file that is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from downloader.library.store.folders import Folder
from downloader.library.store.layout import (
    MODEL_DESCRIPTOR,
    OWN,
    REVISION_DESCRIPTOR,
    SHA256,
    Layout,
)

DESCRIPTOR_BYTES = 64 << 20  # 100,000 files


@dataclass
class References:
    """`by_blob`: the descriptors that name each blob, as paths below the root. `by_digest`: the
    blob that a source's digest was found to be. `unreadable`: descriptors, or folders, that cannot
    be read; as long as there are any, nobody knows what is needed."""

    by_blob: dict[str, set[str]] = field(default_factory=dict)
    by_digest: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def note(self, where: str, entry: Mapping[str, Any]) -> None:
        sha256 = entry["sha256"]
        if not SHA256.fullmatch(sha256):
            raise ValueError(f"not a SHA-256: {sha256!r}")
        self.by_blob.setdefault(sha256, set()).add(where)
        if entry.get("source_digest") and entry.get("trust") == "verified":
            self.by_digest[str(entry["source_digest"])] = sha256


def read(layout: Layout) -> References:
    found = References()
    try:
        root = Folder.at(layout.root)
    except FileNotFoundError:
        return found
    with root:
        for place in _folders(root, found, ()):
            _note_descriptor(root, place, found)
    return found


def _folders(root: Folder, found: References, parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every folder that may hold a descriptor: models two deep, revisions three."""
    for name in _below(root, found, parts):
        here = (*parts, name)
        if len(here) >= 2:
            yield here
        if len(here) < 3:
            yield from _folders(root, found, here)


def _below(root: Folder, found: References, parts: tuple[str, ...]) -> list[str]:
    """Names of directories; a link is not followed: its target is not ours."""
    try:
        with root.sub(*parts) as folder:
            return [name for name in folder.names() if not _skipped(folder, name, len(parts))]
    except FileNotFoundError:  # removed just now
        return []
    except OSError:
        found.unreadable.append("/".join(parts))
        return []


def _skipped(folder: Folder, name: str, depth: int) -> bool:
    own = depth == 0 and (name.startswith(".") or name.casefold() in OWN)
    return own or not folder.is_folder(name)


def _note_descriptor(root: Folder, place: tuple[str, ...], found: References) -> None:
    name = MODEL_DESCRIPTOR if len(place) == 2 else REVISION_DESCRIPTOR
    where = "/".join((*place, name))
    try:
        with root.sub(*place) as folder:
            data = folder.read(name, DESCRIPTOR_BYTES)
        for entry in json.loads(data)["files_json"] if data is not None else ():
            found.note(where, entry)
    except FileNotFoundError:  # removed just now
        return
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        found.unreadable.append(where)
