"""What will be fetched and where it will lie: decided before a byte moves, by values alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from downloader.library import defaults
from downloader.library.errors import NothingSelected, Refused, UnsafeName
from downloader.library.remote import RemoteFile, Resolved
from downloader.library.safety import (
    Policy,
    check_together,
    refusal,
    safe_name,
    safe_path,
    safe_version,
)
from downloader.library.selection import select
from downloader.library.sources.filetypes import type_of
from registry.kinds import KINDS, OTHER, FileFacts, guess

__all__ = ["Plan", "PlannedFile", "make", "mirrored", "select"]

MOST_SHOWN: Final = 5
Skipped = tuple[RemoteFile, str]


@dataclass(frozen=True)
class PlannedFile:
    """`path` is safe, as it will be installed; `blob_sha256` names bytes that are here already."""

    file: RemoteFile
    path: str
    present: bool = False
    blob_sha256: str | None = None


@dataclass(frozen=True)
class Plan:
    resolved: Resolved
    files: tuple[PlannedFile, ...]
    skipped: tuple[Skipped, ...]  # the file, and why; the reason reads on after the file's name
    kind: str
    name: str
    version: str
    folder: PurePosixPath  # <kind>/<name>@<version>, below the models root
    bytes_total: int  # of the files whose size is known
    bytes_needed: int
    warnings: tuple[str, ...] = ()
    kind_given: bool = False  # by a person: the bytes are not asked what they are
    policy: Policy = field(default_factory=Policy)  # that it was made by; its bytes are held to it


def make(
    resolved: Resolved,
    *,
    policy: Policy,
    present: Callable[[RemoteFile], str | None],
    kind: str | None = None,
    name: str | None = None,
    version: str | None = None,
    patterns: Iterable[str] = (),
) -> Plan:
    """Choose the files, name the folder, add up the bytes.

    A source may have made the selection precise, in `resolved.ref`: that goes before `patterns`.
    `present` gives the SHA-256 of a file whose bytes are in the store. Raises NothingSelected,
    Refused (size, number, kind) or UnsafeName; what is merely not needed or not allowed is in
    `skipped`, with the reason.
    """
    wanted = resolved.ref.selection or tuple(patterns)
    choice = _chosen(resolved.files, wanted, policy)
    taken, barred = _allowed(choice.taken, policy)
    skipped = (*choice.skipped, *barred)
    _check_something_left(taken, skipped, by_default=not wanted)
    files = tuple(_planned(file, path, present) for file, path in taken)
    _check_limits(files, policy)
    kind_given, kind = kind is not None, _kind(kind, resolved, files)
    name, version = safe_name(name or resolved.name), safe_version(version or resolved.version)
    return Plan(
        resolved=resolved,
        files=files,
        skipped=skipped,
        kind=kind,
        name=name,
        version=version,
        folder=PurePosixPath(kind, f"{name}@{version}"),
        bytes_total=_bytes(files),
        bytes_needed=_bytes(file for file in files if not file.present),
        warnings=(*choice.warnings, *_warnings(files)),
        kind_given=kind_given,
        policy=policy,
    )


def mirrored(
    resolved: Resolved,
    paths: Iterable[str],
    *,
    policy: Policy,
    present: Callable[[RemoteFile], str | None],
    folder: PurePosixPath,
) -> Plan:
    """Exactly these files of the source, as they are named there, to be shown in `folder`. What is
    not allowed is in `skipped`; NothingSelected when nothing else is."""
    wanted = set(paths)
    chosen = [file for file in resolved.files if file.path in wanted]
    taken, barred = _allowed(chosen, policy)
    if not taken:
        told = "; ".join(f"{file.path[:120]!r} {why}" for file, why in barred[:MOST_SHOWN])
        raise NothingSelected(f"There is nothing to download: {told or 'no file is selected'}.")
    files = tuple(_planned(file, path, present) for file, path in taken)
    _check_limits(files, policy)
    return Plan(
        resolved=resolved,
        files=files,
        skipped=tuple(barred),
        kind=OTHER,
        name=resolved.name,
        version=resolved.version,
        folder=folder,
        bytes_total=_bytes(files),
        bytes_needed=_bytes(file for file in files if not file.present),
        warnings=tuple(_warnings(files)),
        kind_given=True,
        policy=policy,
    )


def _chosen(
    files: Sequence[RemoteFile], wanted: tuple[str, ...], policy: Policy
) -> defaults.Choice:
    if not wanted:
        return defaults.choose(files, policy)
    return defaults.Choice(taken=list(select(wanted, files)))


def _allowed(
    files: Iterable[RemoteFile], policy: Policy
) -> tuple[list[tuple[RemoteFile, str]], list[Skipped]]:
    """The files that may be installed, with their safe paths, and those that may not."""
    allowed: list[tuple[RemoteFile, str]] = []
    barred: list[Skipped] = []
    for file in files:
        try:
            path = safe_path(file.path)
        except UnsafeName as unsafe:
            barred.append((file, f"has an unsafe name: {unsafe.message}"))
            continue
        if why := refusal(path, policy, type=file.type) or _scan_failed(file, policy):
            barred.append((file, why))
        else:
            allowed.append((file, path))
    return allowed, barred


def _scan_failed(file: RemoteFile, policy: Policy) -> str | None:
    """The source itself has found something in the file."""
    if policy.allow_failed_scan or file.facts.get("scan") != "failed":
        return None
    return "did not pass its source's own scan"


def _check_something_left(
    taken: Sequence[tuple[RemoteFile, str]], skipped: Sequence[Skipped], *, by_default: bool
) -> None:
    """A model whose weights are all left out is nothing, unless somebody asked for just that."""
    weights_left_out = [(file, why) for file, why in skipped if _is_weights(file)]
    bare = by_default and weights_left_out and not any(_is_weights(file) for file, _path in taken)
    if taken and not bare:
        return
    reasons = weights_left_out or list(skipped)
    told = "; ".join(f"{file.path[:120]!r} {why}" for file, why in reasons[:MOST_SHOWN])
    more = f"; and {len(reasons) - MOST_SHOWN} more" if len(reasons) > MOST_SHOWN else ""
    what = "There is nothing to install" if not taken else "No weights are left to install"
    raise NothingSelected(f"{what}: {told or 'the source lists no files'}{more}.")


def _is_weights(file: RemoteFile) -> bool:
    return file.type == "model" or type_of(file.path) == "model"


def _check_limits(files: Sequence[PlannedFile], policy: Policy) -> None:
    check_together(file.path for file in files)
    if policy.max_files is not None and len(files) > policy.max_files:
        raise Refused(
            f"{len(files)} files are selected, and at most {policy.max_files} are allowed. "
            "Select fewer with #."
        )
    for file in files:
        if why := refusal(file.path, policy, size=file.file.size, type=file.file.type):
            raise Refused(f"{file.path!r} {why}. Select other files with #.")


def _planned(
    file: RemoteFile, path: str, present: Callable[[RemoteFile], str | None]
) -> PlannedFile:
    sha256 = present(file)
    return PlannedFile(file, path, sha256 is not None, sha256)


def _kind(asked: str | None, resolved: Resolved, files: Sequence[PlannedFile]) -> str:
    if asked is None:
        facts = [FileFacts(file.path, file.file.size) for file in files]
        return guess(resolved.kind_hint, facts, {})
    if asked not in KINDS:
        raise Refused(f"{asked[:80]!r} is not a kind of model; it is one of {', '.join(KINDS)}.")
    return asked


def _bytes(files: Iterable[PlannedFile]) -> int:
    return sum(file.file.size or 0 for file in files)


def _warnings(files: Sequence[PlannedFile]) -> list[str]:
    """Each warning once, with the files it is about."""
    about: dict[str, list[str]] = {}
    for file in files:
        for warning in file.file.warnings:
            about.setdefault(warning, []).append(file.path)
    return [f"{_listed(paths)}: {warning}" for warning, paths in about.items()]


def _listed(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:MOST_SHOWN])
    more = len(paths) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
