"""Model folders: links to blobs and `model.json`, which appear together in one rename.

Installing the same content again changes nothing, but puts back links that went missing. Other
content under the same name is refused, unless it is forced: then the folders are exchanged and the
old one is deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath

from downloader.library.checksums import Trust
from downloader.library.errors import AlreadyInstalled, InvalidFile, NotFound
from downloader.library.plan import Plan, PlannedFile
from downloader.library.store import MODEL_DESCRIPTOR, Claim, How, Store, Terms
from downloader.library.watch import Control, Observer
from registry.descriptors import Descriptor, InstalledFile
from registry.errors import InvalidDescriptor
from registry.kinds import SDXL_DIFFUSERS
from registry.parameters import capabilities_for, schema_for

QUIET = Observer()


@dataclass(frozen=True)
class Stored:
    """A file whose bytes are in the store, and how far they are trusted."""

    sha256: str
    size: int
    trust: Trust


def install(
    plan: Plan,
    stored: Mapping[str, Stored],
    base: Descriptor,
    store: Store,
    claim: Claim,
    *,
    force: bool = False,
) -> Descriptor:
    """`stored` has the blob of every planned path, and `claim` holds them all. `base` is what the
    source says of the model. The answer is what stands on the disk afterwards."""
    return put(complete(plan, stored, base), store, claim, force=force)


def put(wanted: Descriptor, store: Store, claim: Claim, *, force: bool = False) -> Descriptor:
    """Show `wanted` at its `local_path`; `claim` holds the blobs of all its files."""
    folder = PurePosixPath(wanted.local_path)
    standing = _standing(folder, store)
    if standing is not None and _bytes_of(standing) == _bytes_of(wanted):
        if standing.files == wanted.files:
            relink(standing, store, claim)
            return standing
        force = True  # the same bytes, and more is known of them now
    _publish(folder, _heir(wanted, standing), store, claim, force=force)
    return read(folder, store)


def refuse_early(plan: Plan, store: Store) -> None:
    """AlreadyInstalled, before a byte is fetched, when it is certain that other content stands
    there: other paths, or other digests of the source."""
    standing = _standing(plan.folder, store)
    if standing is None:
        return
    theirs = {file.path: file.source_digest for file in standing.files}
    ours = {file.path: _source_digest(file) for file in plan.files}
    both = [(theirs[path], ours[path]) for path in theirs.keys() & ours.keys()]
    if theirs.keys() != ours.keys() or any(a and b and a != b for a, b in both):
        raise _occupied(plan.folder, store)


def complete(plan: Plan, stored: Mapping[str, Stored], base: Descriptor) -> Descriptor:
    """The descriptor, with what only the bytes could tell."""
    files = tuple(_installed(file, stored[file.path]) for file in plan.files)
    if base.kind != plan.kind:
        base = replace(
            base,
            parameters_schema=schema_for(plan.kind),
            capabilities=capabilities_for(plan.kind),
        )
    return replace(
        base,
        name=plan.name,
        kind=plan.kind,
        version=plan.version,
        checkpoint_hash=checkpoint_hash(plan.kind, plan.files, files),
        local_path=str(plan.folder),
        installed=True,
        files=files,
        provenance={**base.provenance, "downloaded_at": now()},
    )


def _installed(planned: PlannedFile, stored: Stored) -> InstalledFile:
    return InstalledFile(
        path=planned.path,
        sha256=stored.sha256,
        size=stored.size,
        trust=stored.trust.value,
        source_digest=_source_digest(planned),
    )


def _source_digest(planned: PlannedFile) -> str | None:
    return str(planned.file.digest) if planned.file.digest else None


def checkpoint_hash(
    kind: str, planned: Iterable[PlannedFile], files: Sequence[InstalledFile]
) -> str:
    """Of the main weights: the source's primary file, or the largest. A folder of many weights has
    the SHA-256 of the list of its files, one `<sha256>  <path>` a line, sorted by path."""
    weights = [
        (file.file.facts.get("primary") == "true", installed.size, installed.sha256)
        for file, installed in zip(planned, files, strict=True)
        if file.file.type == "model"
    ]
    if weights and kind != SDXL_DIFFUSERS:
        return f"sha256:{max(weights)[2]}"
    lines = sorted((file.path, file.sha256) for file in files)
    listed = "".join(f"{sha256}  {path}\n" for path, sha256 in lines)
    return f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


def _bytes_of(descriptor: Descriptor) -> dict[str, str]:
    return {file.path: file.sha256 for file in descriptor.files}


def _heir(wanted: Descriptor, standing: Descriptor | None) -> Descriptor:
    """What takes a model's place keeps its id: those who refer to it go on doing so."""
    if standing is None:
        return wanted
    return replace(wanted, id=standing.id, enabled=standing.enabled)


def _publish(
    folder: PurePosixPath, wanted: Descriptor, store: Store, claim: Claim, *, force: bool
) -> None:
    with store.build(folder, claim) as building:
        for file in wanted.files:
            building.place(file.sha256, file.path)
        # Last, so that a folder with a descriptor is a whole one even if it is copied meanwhile.
        building.write(MODEL_DESCRIPTOR, encoded(wanted))
        try:
            building.publish(replace=force)
        except AlreadyInstalled as error:
            standing = _standing(folder, store)
            if standing is None or _bytes_of(standing) != _bytes_of(wanted):
                raise _occupied(folder, store) from error
            # Another process has installed the very same just now.


def _occupied(folder: PurePosixPath, store: Store) -> AlreadyInstalled:
    return AlreadyInstalled(
        f"Other content is installed as {folder}. Choose another name or version, or force it to "
        "be replaced.",
        details={"path": str(store.root / folder)},
    )


def encoded(descriptor: Descriptor) -> bytes:
    return json.dumps(descriptor.to_json(), indent=2, ensure_ascii=False).encode() + b"\n"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# Reading what is installed


def read(folder: PurePosixPath, store: Store) -> Descriptor:
    """NotFound when there is no `model.json`, InvalidFile when it cannot be used."""
    data = store.read_file(folder, MODEL_DESCRIPTOR)
    if data is None:
        raise NotFound(f"No model is installed in {folder}.", details={"path": str(folder)})
    try:
        return Descriptor.from_json(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{folder}/{MODEL_DESCRIPTOR} is not JSON. Install it again.") from error
    except InvalidDescriptor as error:
        raise InvalidFile(f"{folder}: {error.message} Install it again.") from error


def _standing(folder: PurePosixPath, store: Store) -> Descriptor | None:
    """What is installed there, if it can be read."""
    try:
        return read(folder, store)
    except (NotFound, InvalidFile):
        return None


# Looking after what is installed


class State(StrEnum):
    WHOLE = "whole"
    MISSING = "missing"
    CORRUPT = "corrupt"


@dataclass(frozen=True)
class FileVerdict:
    """`blob`: what the store holds for it, whatever the folder shows; None when it is absent."""

    file: InstalledFile
    state: State
    blob: Trust | None

    @property
    def needs_fetching(self) -> bool:
        return self.blob is not Trust.VERIFIED


def verify(
    folder: PurePosixPath, store: Store, control: Control | None = None, observer: Observer = QUIET
) -> list[FileVerdict]:
    """Read every byte again. Each blob is read once, however many files show it."""
    control = control or Control()
    blobs: dict[str, Trust | None] = {}
    verdicts = []
    for file in read(folder, store).files:
        if file.sha256 not in blobs:
            blobs[file.sha256] = store.verify(
                file.sha256, control, observer, path=file.path, size=file.size
            )
        state = _state(folder, file, blobs[file.sha256], store, control)
        verdicts.append(FileVerdict(file, state, blobs[file.sha256]))
    return verdicts


def _state(
    folder: PurePosixPath,
    file: InstalledFile,
    blob: Trust | None,
    store: Store,
    control: Control,
) -> State:
    how = store.placed(folder, file.path, file.sha256, file.size)
    if how in (How.HARDLINK, How.SYMLINK):
        return State.WHOLE if blob is Trust.VERIFIED else State.CORRUPT
    found = store.hash_placed(folder, file.path, control)
    if found is None:
        return State.MISSING
    return State.WHOLE if found == file.sha256 else State.CORRUPT


@dataclass(frozen=True)
class Repaired:
    """`relinked`: paths that are whole again. `wanted`: those whose bytes have to be fetched, by an
    acquisition of the same plan; the damaged ones are out of its way."""

    verdicts: tuple[FileVerdict, ...]
    relinked: tuple[str, ...]
    wanted: tuple[str, ...]


def repair(
    folder: PurePosixPath, store: Store, control: Control | None = None, observer: Observer = QUIET
) -> Repaired:
    """Verify; put back what the store can; remove what is damaged."""
    verdicts = verify(folder, store, control, observer)
    descriptor = read(folder, store)
    broken = [verdict for verdict in verdicts if verdict.state is not State.WHOLE]
    for verdict in broken:
        if verdict.state is State.CORRUPT:
            store.unplace(folder, verdict.file.path)
        if verdict.blob is Trust.MISMATCH:
            store.drop(verdict.file.sha256)
    whole = {v.file.sha256 for v in verdicts if not v.needs_fetching}
    with store.claim(whole) as claim:
        relinked = relink(descriptor, store, claim)
    wanted = tuple(v.file.path for v in broken if v.file.path not in relinked)
    return Repaired(tuple(verdicts), relinked, wanted)


def relink(descriptor: Descriptor, store: Store, claim: Claim) -> tuple[str, ...]:
    """Put back links that are missing or lead elsewhere, as far as the store has their bytes; the
    paths that were."""
    folder = PurePosixPath(descriptor.local_path)
    put_back = []
    for file in descriptor.files:
        if store.placed(folder, file.path, file.sha256, file.size) is None and store.has(
            file.sha256, file.size
        ):
            store.replace_link(folder, file.path, file.sha256, claim)
            put_back.append(file.path)
    return tuple(put_back)


# Removing it


@dataclass(frozen=True)
class Removed:
    """`kept`: how many of its blobs stayed, by reason."""

    freed_bytes: int
    blobs: tuple[str, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    dry_run: bool = False


def remove(folder: PurePosixPath, store: Store, *, dry_run: bool = False) -> Removed:
    """Only bytes that nothing else uses are freed. A folder whose descriptor is damaged goes too;
    its blobs are left to the next collection."""
    standing = _standing(folder, store)
    if not (store.root / folder).exists():
        raise NotFound(f"Nothing is installed in {folder}.", details={"path": str(folder)})
    files = standing.files if standing else ()
    return remove_links(folder, files, f"{folder}/{MODEL_DESCRIPTOR}", store, dry_run=dry_run)


def remove_links(
    folder: PurePosixPath,
    files: Sequence[InstalledFile],
    descriptor: str,
    store: Store,
    *,
    dry_run: bool,
) -> Removed:
    """Remove a folder of links and the blobs that only it used. `descriptor` is the path of the
    file in it that names them."""
    ways = [(file, store.placed(folder, file.path, file.sha256, file.size)) for file in files]
    links = Counter(file.sha256 for file, how in ways if how is How.HARDLINK)
    copies = sum(file.size for file, how in ways if how is How.COPY)
    terms = Terms(dry_run=dry_run, grace_s=0.0, only={file.sha256 for file in files})
    if dry_run:
        terms = replace(terms, without={descriptor}, links=links)
    else:
        store.remove_folder(folder)
    collected = store.collect(terms)
    return Removed(copies + collected.freed_bytes, collected.blobs, collected.kept, dry_run)
