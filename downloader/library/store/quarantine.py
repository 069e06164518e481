"""Bytes that are not what their source names: kept apart, until an operator releases or discards
them. Nothing ever links to them.

The id comes from the file and its bytes, so that the same wrong bytes, fetched again, are kept
once. A released file leaves an override behind: the next acquisition of that file finds its bytes
trusted by name, with a reason.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from downloader.library.checksums import Computed
from downloader.library.errors import InvalidFile, NotFound, Refused, UnsafeName
from downloader.library.store import blobs, durability, trash
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import Layout
from downloader.library.watch import Control

BYTES = "bytes"
RECORD = "record.json"
OVERRIDES = "overrides"
RECORD_BYTES = 1 << 20
ID_DIGITS = 24
ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")


@dataclass(frozen=True)
class Suspect:
    """`expected` is the source's digest, as `algorithm:value`; `source_uri` holds no secret."""

    path: str
    source_uri: str
    expected: str | None
    computed: Computed
    at: str

    @property
    def id(self) -> str:
        text = "\n".join((self.source_uri, self.path, str(self.expected), self.computed.sha256))
        return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]

    @property
    def size(self) -> int:
        return self.computed.size

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "size": self.size}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Suspect:
        facts = {name: data[name] for name in ("path", "source_uri", "expected", "at")}
        return cls(computed=Computed(**data["computed"]), **facts)


@dataclass(frozen=True)
class Override:
    """Bytes trusted by an operator in place of what the source names."""

    sha256: str
    size: int
    path: str
    source_uri: str
    expected: str | None
    by: str
    reason: str
    at: str


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def keep(layout: Layout, source: Folder, name: str, suspect: Suspect) -> str:
    """Move the file into quarantine; its record is there before its bytes are."""
    with (
        told("putting into quarantine", layout.root / Layout.QUARANTINE / suspect.id),
        layout.below(Layout.QUARANTINE, suspect.id) as folder,
    ):
        folder.replace(RECORD, json.dumps(suspect.to_json(), indent=2).encode())
        with source.reading(name) as file:
            durability.sync(file)
            durability.protect(file)
        durability.rename(source.descriptor, name, folder.descriptor, BYTES)
        durability.sync(folder.descriptor)
        source.forget(name + blobs.LEDGER)
    return suspect.id


def held(layout: Layout, after: str = "", most: int | None = None) -> dict[str, Suspect | None]:
    """What is in quarantine, by id and in the order of ids; None where the record cannot be read.
    Beyond `most`, no record is read."""
    found: dict[str, Suspect | None] = {}
    with told("reading", layout.root / Layout.QUARANTINE), layout.below(Layout.QUARANTINE) as top:
        for name in sorted(name for name in top.names() if name > after):
            if len(found) == most:
                break
            if ID.fullmatch(name) and top.is_folder(name):
                with top.sub(name) as folder:
                    if folder.is_file(BYTES):
                        found[name] = _readable(folder)
    return found


def record(layout: Layout, id_: str) -> Suspect | None:
    """One record; None where there is none, or none that can be read."""
    try:
        with told("reading", layout.root / Layout.QUARANTINE / id_), _entry(layout, id_) as folder:
            return _readable(folder)
    except (NotFound, UnsafeName):
        return None


def examine(layout: Layout, id_: str, control: Control) -> Suspect:
    """The record, after reading the bytes again: they are still those it tells of."""
    with told("releasing", layout.root / Layout.QUARANTINE / id_), _entry(layout, id_) as folder:
        suspect = _suspect(folder)
        with folder.reading(BYTES) as file:
            read = blobs.hash_open(file, (), control, lambda _count: None)
    if read.sha256 != suspect.computed.sha256:
        raise InvalidFile("The bytes in quarantine have changed since. Discard them.")
    return suspect


def release(layout: Layout, suspect: Suspect, *, by: str, reason: str) -> None:
    """Write down who trusts the bytes, and why, and make a blob of them."""
    if not by.strip() or not reason.strip():
        raise Refused("A release needs the name of who releases, and a reason.")
    id_ = suspect.id
    with told("releasing", layout.root / Layout.QUARANTINE / id_), _entry(layout, id_) as folder:
        _trust(layout, suspect, by, reason)
        blobs.adopt(layout, folder, BYTES, suspect.computed)
    _drop(layout, id_)


def discard(layout: Layout, id_: str) -> int:
    """Delete the bytes and their record; how many bytes that were."""
    with told("discarding", layout.root / Layout.QUARANTINE / id_), _entry(layout, id_) as folder:
        found = folder.look(BYTES)
    _drop(layout, id_)
    return found.st_size if found else 0


def overrides(layout: Layout) -> list[Override]:
    with (
        told("reading the overrides in", layout.root / Layout.QUARANTINE),
        layout.below(Layout.QUARANTINE, OVERRIDES) as folder,
    ):
        names = [name for name in folder.names() if name.endswith(".json")]
        return [override for name in names for override in _overrides_of(folder, name)]


def _trust(layout: Layout, suspect: Suspect, by: str, reason: str) -> None:
    sha256 = suspect.computed.sha256
    told_of = (suspect.size, suspect.path, suspect.source_uri, suspect.expected)
    override = Override(sha256, *told_of, by.strip(), reason.strip(), now())
    with layout.below(Layout.QUARANTINE, OVERRIDES) as folder:
        name = f"{sha256}.json"
        known = [asdict(before) for before in _overrides_of(folder, name)]
        folder.replace(name, json.dumps([*known, asdict(override)], indent=2).encode())


def _overrides_of(folder: Folder, name: str) -> list[Override]:
    data = folder.read(name, RECORD_BYTES)
    if data is None:
        return []
    try:
        return [Override(**entry) for entry in json.loads(data)]
    except (ValueError, TypeError) as error:
        raise InvalidFile(
            f"The override {name} in quarantine cannot be read. Repair or remove it.",
            details={"path": str(folder.path / name)},
        ) from error


def _suspect(folder: Folder) -> Suspect:
    data = folder.read(RECORD, RECORD_BYTES)
    try:
        return Suspect.parse(json.loads(data or b""))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidFile(
            f"The record of {folder.path.name} in quarantine cannot be read. Discard the entry.",
            details={"id": folder.path.name},
        ) from error


def _readable(folder: Folder) -> Suspect | None:
    try:
        return _suspect(folder)
    except InvalidFile:
        return None


@contextmanager
def _entry(layout: Layout, id_: str) -> Iterator[Folder]:
    if ID.fullmatch(id_) is None:
        raise UnsafeName("Not the id of something in quarantine.")
    try:
        with layout.below(Layout.QUARANTINE, id_, create=False) as folder:
            yield folder
    except FileNotFoundError as error:
        raise NotFound(f"There is no {id_} in quarantine.", details={"id": id_}) from error


def _drop(layout: Layout, id_: str) -> None:
    with (
        told("removing", layout.root / Layout.QUARANTINE / id_),
        layout.below(Layout.QUARANTINE) as top,
    ):
        trash.throw(layout, top, id_)
    trash.empty(layout)
