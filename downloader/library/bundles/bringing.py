"""Taking a bundle in: everything is read, compared and stored before anything of it is shown.

What was copied stays in the store when an import is stopped or refused, so the next one goes on
from there; no folder, and nothing in the registry, tells of it before all is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from downloader.library import bundles, install, revisions, safety
from downloader.library.bundles import manifest as manifests
from downloader.library.bundles import parsing, signing
from downloader.library.bundles.manifest import Manifest
from downloader.library.bundles.reading import Bundle, Span
from downloader.library.checksums import Computed, Hashing
from downloader.library.errors import (
    AlreadyInstalled,
    DigestMismatch,
    DownloadError,
    InvalidFile,
    NoSpace,
    NotFound,
    Refused,
)
from downloader.library.revisions import Revision
from downloader.library.safety import Policy
from downloader.library.sources.filetypes import type_of
from downloader.library.store import Claim, Store
from downloader.library.store.failures import told
from downloader.library.watch import Control, FileProgress, FileState, Observer
from registry.descriptors import Descriptor

RESERVE_BYTES = 64 << 20
NAMED_AT_MOST = 5
APPEND = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Brought:
    """`models` and `revisions`: what stands on the disk now, in the manifest's order."""

    models: tuple[Descriptor, ...]
    revisions: tuple[Revision, ...]
    copied_blobs: int
    copied_bytes: int


@dataclass(frozen=True)
class Taking:
    bundle: Bundle
    manifest: Manifest
    store: Store
    policy: Policy
    control: Control
    observer: Observer


def manifest_of(bundle: Bundle, trusted: frozenset[str]) -> tuple[Manifest, str]:
    """What the bundle says, and the id of the key that vouches for it; the signature is checked
    before a word of it is read."""
    data = bundle.small(bundles.MANIFEST, bundles.MANIFEST_BYTES)
    signature = bundle.small(bundles.SIGNATURE, bundles.SIGNATURE_BYTES)
    key_id = signing.check(data, signature, trusted)
    return parsing.parse(data), key_id


def lacking(taking: Taking) -> dict[str, int]:
    """The blobs that are not in the store, with their sizes. Everything that can be refused by
    names alone has been."""
    _refuse_policy(taking)
    for model in taking.manifest.models:
        _standing(model, taking.store)
    store = taking.store
    wanted = {sha: s for sha, s in taking.manifest.blobs.items() if not store.has(sha, s)}
    absent = [sha for sha in wanted if not taking.bundle.has(bundles.blob_name(sha))]
    if absent:
        raise _incomplete(taking.manifest, absent)
    _need_space(taking, wanted)
    return wanted


def bring(taking: Taking, as_revisions: tuple[str, ...]) -> Brought:
    """`as_revisions`: the revision that each repository is shown as, in the manifest's order."""
    store, manifest = taking.store, taking.manifest
    with store.claim(manifest.blobs) as claim:
        wanted = lacking(taking)
        for sha256, size in wanted.items():
            _copy(taking, claim, sha256, size)
        taking.control.check()
        models = tuple(
            install.put(_standing(model, store) or model, store, claim) for model in manifest.models
        )
        shown = tuple(
            revisions.publish(revision, store, claim)
            for revision in _revisions(manifest, as_revisions)
            if revision.files
        )
    return Brought(models, shown, len(wanted), sum(wanted.values()))


def _revisions(manifest: Manifest, as_revisions: tuple[str, ...]) -> Iterator[Revision]:
    for repo, as_revision in zip(manifest.repos, as_revisions, strict=True):
        yield Revision(
            source=repo.source,
            repo=repo.full_name,
            revision=as_revision,
            commit=repo.commit,
            files=manifests.installed(repo),
            licence=repo.licence or None,
            page=repo.page or None,
        )


def _refuse_policy(taking: Taking) -> None:
    """What this installation would not download it does not import either."""
    for use in chain.from_iterable(taking.manifest.uses.values()):
        if why := safety.refusal(use.path, taking.policy, type=type_of(use.path)):
            raise Refused(
                f"{use.label[:200]} {why}. Nothing was imported.", details={"path": use.label}
            )


def _standing(model: Descriptor, store: Store) -> Descriptor | None:
    """The same model, if it is installed; AlreadyInstalled when other bytes stand under its
    name."""
    folder = manifests.model_folder(model)
    try:
        standing = install.read(folder, store)
    except (NotFound, InvalidFile):
        return None
    if {(f.path, f.sha256) for f in standing.files} != {(f.path, f.sha256) for f in model.files}:
        raise AlreadyInstalled(
            f"Other content is installed as {folder}. Remove it first; nothing was imported.",
            details={"path": str(folder)},
        )
    return standing


def _incomplete(manifest: Manifest, absent: list[str]) -> NotFound:
    names = ", ".join(manifest.named(sha256)[:200] for sha256 in absent[:NAMED_AT_MOST])
    left_out = manifest.left_out.issuperset(absent)
    advice = (
        "The bundle was made for a machine that has them: export again with the inventory of this "
        "one (`manage.py hub_export --inventory`)."
        if left_out
        else "Copy the bundle again."
    )
    return NotFound(
        f"{len(absent)} files are neither here nor in the bundle: {names}. {advice}",
        details={"missing": absent[:100]},
    )


def _need_space(taking: Taking, wanted: dict[str, int]) -> None:
    free = taking.store.free_bytes()
    targets = taking.store.targets(_key(sha256) for sha256 in wanted) if wanted else {}
    staged = sum(taking.store.staged_bytes(targets.values()).values()) if targets else 0
    needed = max(0, sum(wanted.values()) - staged)
    if free is not None and wanted and needed + RESERVE_BYTES > free:
        raise NoSpace(
            f"{needed} bytes are to be imported, {free} are free in {taking.store.root}, and "
            f"{RESERVE_BYTES} stay in reserve: free {needed + RESERVE_BYTES - free} more.",
            details={"needed": needed, "free": free},
        )


def _key(sha256: str) -> str:
    return f"bundle:{sha256}"


def _copy(taking: Taking, claim: Claim, sha256: str, size: int) -> None:
    """Make a blob of a member. Two imports at once copy it once."""
    store = taking.store
    with store.lock(_key(sha256), taking.control, taking.observer):
        if store.has(sha256, size):
            return
        part = store.target(_key(sha256)).part
        claim.add(staged=[part.name])
        computed = _staged(taking, part, sha256, size)
        _check_content(taking, part, sha256)
        store.adopt(part, computed)
        taking.observer.file(FileProgress(sha256, FileState.DONE, size, size, 0))


def _check_content(taking: Taking, part: Path, sha256: str) -> None:
    """Whether the bytes are what each of their names says."""
    try:
        for use in taking.manifest.uses[sha256]:
            safety.check_content(part, use.path, taking.policy)
    except DownloadError:
        taking.store.forget_part(part)
        raise


def _staged(taking: Taking, part: Path, sha256: str, size: int) -> Computed:
    """Go on with what an earlier import has left, if that was right."""
    name = taking.manifest.named(sha256)
    with taking.bundle.reading(bundles.blob_name(sha256)) as span:
        had_part = part.exists()
        computed = _filled(taking, part, span, sha256)
        if computed.sha256 != sha256 and had_part:
            taking.store.forget_part(part)
            computed = _filled(taking, part, span, sha256)
    if computed.sha256 == sha256 and computed.size == size:
        return computed
    taking.store.forget_part(part)
    raise DigestMismatch(
        f"{name} is not what the manifest says: expected sha256:{sha256}, the bundle has "
        f"sha256:{computed.sha256}. Nothing was imported; copy the bundle again.",
        details={"path": name, "expected": sha256, "computed": computed.sha256},
    )


def _filled(taking: Taking, part: Path, span: Span, sha256: str) -> Computed:
    with told("storing", part), _open(part) as file:
        hashing, at = Hashing(span.size), 0
        if os.fstat(file).st_size > span.size:
            os.ftruncate(file, 0)
        while data := os.pread(file, bundles.READ_BYTES, at):
            taking.control.check()
            hashing.update(data)
            at += len(data)
        while data := span.read(at):
            taking.control.check()
            _write(file, data, at)
            hashing.update(data)
            at += len(data)
            progress = FileProgress(sha256, FileState.DOWNLOADING, at, span.size, 0)
            taking.observer.file(progress)
        return hashing.computed()


@contextmanager
def _open(part: Path) -> Iterator[int]:
    file = os.open(part, APPEND, 0o644)
    try:
        yield file
    finally:
        os.close(file)


def _write(file: int, data: bytes, at: int) -> None:
    while data:
        count = os.pwrite(file, data, at)
        data, at = data[count:], at + count
