"""The store, or some revisions of it, copied to another root: each blob is hashed while it is
copied and read again where it arrived, then the folders are built there. Started again it goes on.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from downloader.library import retiring
from downloader.library.checksums import Computed, Hashing, Trust
from downloader.library.errors import InvalidFile, NoSpace, WrongPlace
from downloader.library.store import (
    MODEL_DESCRIPTOR,
    REVISION_DESCRIPTOR,
    Claim,
    Store,
    Terms,
    blobs,
    durability,
)
from downloader.library.store.failures import told
from downloader.library.store.layout import Layout
from downloader.library.watch import Control

SPARE_BYTES = 64 << 20  # left free at the new place
OVERRIDES = "overrides"
Told = Callable[[str, int, int], None]  # what was copied, and how many bytes of how many


@dataclass(frozen=True)
class Plan:
    """`sizes`: of each blob that the folders need. `folders`: with the descriptor of each."""

    sizes: Mapping[str, int]
    folders: Mapping[PurePosixPath, str]
    missing: tuple[str, ...] = ()

    @property
    def bytes_total(self) -> int:
        return sum(self.sizes.values())


@dataclass
class Moved:
    """`here`: blobs that were at the new place already. `damaged`: those that are not what their
    names say at the old one; they and what is `missing` there were not copied."""

    copied: int = 0
    copied_bytes: int = 0
    here: int = 0
    folders: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def plan(source: Store, only: Iterable[PurePosixPath] | None = None) -> Plan:
    """Everything that a descriptor names; `only`: what is in these folders."""
    known = source.known()
    if known.unreadable:
        raise InvalidFile(
            f"{known.unreadable[0]} cannot be read, so nobody knows what belongs to it. Repair or "
            "remove it."
        )
    wanted = None if only is None else {str(folder) for folder in only}
    folders: dict[PurePosixPath, str] = {}
    sizes: dict[str, int] = {}
    missing = []
    for sha256, places in sorted(known.by_blob.items()):
        chosen = [p for p in places if wanted is None or str(PurePosixPath(p).parent) in wanted]
        folders |= {PurePosixPath(p).parent: PurePosixPath(p).name for p in chosen}
        size = source.size(sha256)
        if chosen and size is None:
            missing.append(sha256)
        elif chosen and size is not None:
            sizes[sha256] = size
    return Plan(sizes, folders, tuple(missing))


def check_places(source: Path, target: Path) -> None:
    """WrongPlace when one lies in the other."""
    old, new = source.resolve(), target.resolve()
    if old == new or old in new.parents or new in old.parents:
        raise WrongPlace(f"{target} and {source} lie in one another. Name another folder.")


def copy(
    source: Store, target: Store, made: Plan, control: Control, copied: Told = lambda *_: None
) -> Moved:
    """Blobs first, then the folders that show them."""
    check_places(source.root, target.root)
    _check_room(target, made)
    moved = Moved(missing=list(made.missing))
    done = 0
    with target.claim(made.sizes) as claim:
        for sha256, size in made.sizes.items():
            control.check()
            _copy_blob(source, target, sha256, size, control, moved)
            done += size
            copied(sha256, done, made.bytes_total)
        target.settle(made.sizes)
        for folder, descriptor in sorted(made.folders.items()):
            control.check()
            _build(source, target, folder, descriptor, claim)
            moved.folders += 1
    _copy_overrides(source, target)
    return moved


def verify(target: Store, made: Plan, control: Control, read: Told = lambda *_: None) -> list[str]:
    """Read every blob at the new place; those that are not right."""
    bad, done = [], 0
    for sha256, size in made.sizes.items():
        control.check()
        if target.verify(sha256, control) is not Trust.VERIFIED:
            bad.append(sha256)
        done += size
        read(sha256, done, made.bytes_total)
    return bad


def delete(source: Store, made: Plan) -> int:
    """The folders of the plan, and the blobs that nothing else there needs; how many bytes that
    freed. The caller has verified the new place."""
    revisions = [f for f, name in made.folders.items() if name == REVISION_DESCRIPTOR]
    freed = retiring.remove(revisions, source).freed_bytes
    for folder, name in made.folders.items():
        if name == MODEL_DESCRIPTOR:
            source.remove_folder(folder)
    return freed + source.collect(Terms(grace_s=0.0, only=list(made.sizes))).freed_bytes


def _check_room(target: Store, made: Plan) -> None:
    needed = sum(size for sha256, size in made.sizes.items() if not target.has(sha256, size))
    place = next(p for p in (target.root, *target.root.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if needed + SPARE_BYTES > free:
        raise NoSpace(
            f"{target.root} has {free} bytes free, and {needed} are to be copied.",
            details={"needed_bytes": needed, "free_bytes": free},
        )


def _copy_blob(
    source: Store, target: Store, sha256: str, size: int, control: Control, moved: Moved
) -> None:
    if target.has(sha256, size):
        moved.here += 1
        return
    staged = target.target(f"sha256:{sha256}").part
    with told("copying", source.blob(sha256)):
        computed = _copy_bytes(source.layout, sha256, staged, control)
    if computed.sha256 != sha256:
        target.forget_part(staged)
        moved.damaged.append(sha256)
        return
    target.adopt(staged, computed, settle=False)
    moved.copied += 1
    moved.copied_bytes += size


def _copy_bytes(layout: Layout, sha256: str, to: Path, control: Control) -> Computed:
    """From the start, whatever an attempt before has left."""
    hashing = Hashing(None)
    buffer = memoryview(bytearray(blobs.READ_BYTES))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with blobs.opened(layout, sha256) as (_, blob):
        out = os.open(to, flags, durability.FILE_MODE)
        try:
            while count := os.readv(blob, [buffer]):
                control.check()
                hashing.update(buffer[:count])
                durability.write(out, buffer[:count])
        finally:
            os.close(out)
    return hashing.computed()


def _build(
    source: Store, target: Store, folder: PurePosixPath, descriptor: str, claim: Claim
) -> None:
    """As it stands at the old place: the descriptor's own bytes, and links to the blobs."""
    data = source.read_file(folder, descriptor)
    if data is None:
        return  # removed just now
    files = [named for named in _named(data) if target.has(named[1], named[2])]
    if target.read_file(folder, descriptor) == data and _is_shown(target, folder, files):
        return  # built by an attempt before
    with target.build(folder, claim) as building:
        for path, sha256, _ in files:
            building.place(sha256, path)
        building.write(descriptor, data)
        building.publish(replace=True)


def _is_shown(target: Store, folder: PurePosixPath, files: Iterable[tuple[str, str, int]]) -> bool:
    """A descriptor that was newer than the plan is of more than that attempt had copied."""
    return all(target.placed(folder, *named) is not None for named in files)


def _named(data: bytes) -> list[tuple[str, str, int]]:
    return [(e["path"], e["sha256"], int(e["size"])) for e in json.loads(data)["files_json"]]


def _copy_overrides(source: Store, target: Store) -> None:
    """What operators trust in spite of its source stays trusted."""
    names = (Layout.QUARANTINE, OVERRIDES)
    if not source.root.joinpath(*names).is_dir():
        return
    with (
        told("copying the overrides to", target.root),
        source.layout.below(*names, create=False) as old,
        target.layout.below(*names) as new,
    ):
        for name in old.names():
            data = old.read(name, 1 << 20)
            if data is not None and not new.is_file(name):
                new.write_new(name, data)
