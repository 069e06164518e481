"""A CivitAI version's files as `RemoteFile`s: their names, facts and warnings, and the selectors
that name them by fact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from downloader.library.errors import NothingSelected
from downloader.library.remote import RemoteFile
from downloader.library.sources.civitai_models import File

# CivitAI's types in the words of `RemoteFile.type`; what is not here is "other".
TYPES = {"model": "model", "pruned model": "model", "config": "config", "negative": "model"}
SUFFIXES = {"SafeTensor": ".safetensors", "PickleTensor": ".ckpt", "Diffusers": ".zip"}
FAILED = frozenset({"danger", "error"})
PASSED = "success"
ALL_OF = "+"
IS = "="
# What a fact may be called in a selector, beside its own name.
FACT_NAMES = {"fp": "precision"}
STRONG = frozenset({"sha256", "blake3"})


def files_of(files: Sequence[File]) -> tuple[RemoteFile, ...]:
    """Every file, the primary one marked, and no two under one name."""
    primary = _primary(files)
    names = _names(files, primary)
    return tuple(
        RemoteFile(
            path=names[file.id],
            key=str(file.id),
            size=file.size,
            digest=file.digest,
            type=TYPES.get(file.type.lower(), "other"),
            warnings=tuple(_warnings(file)),
            facts=_facts(file, primary),
        )
        for file in _each_once(files)
    )


def pinned_selection(
    selection: Sequence[str], files: Sequence[RemoteFile], visit: str
) -> tuple[str, ...]:
    """The selection with selectors by fact (`fp16`, `type=VAE`, `fp16+pruned`) replaced by the ids
    of the files they mean. Ids, names and patterns stay as they are."""
    chosen = dict[str, None]()
    for part in selection:
        for word in _by_fact(part, files, visit):
            chosen[word] = None
    return tuple(chosen)


def _by_fact(part: str, files: Sequence[RemoteFile], visit: str) -> Iterable[str]:
    if any(part in (file.path, file.key) for file in files):
        return (part,)
    words = [word.strip().casefold() for word in part.split(ALL_OF)]
    meant = [file.key for file in files if all(_has(file, word) for word in words)]
    if meant or IS not in part:
        return meant or (part,)
    raise NothingSelected(
        f"No file of this version is {part!r}. There are:\n{_table(files)}", visit=visit
    )


def _has(file: RemoteFile, word: str) -> bool:
    name, found, value = word.partition(IS)
    if found:
        return file.facts.get(FACT_NAMES.get(name, name), "").casefold() == value
    named = (file.facts.get(fact, "") for fact in ("format", "precision", "size", "type"))
    return word in (fact.casefold() for fact in named if fact)


def _table(files: Sequence[RemoteFile]) -> str:
    return "\n".join(
        f"  {file.key}  "
        + " ".join(f"{name}={value}" for name, value in file.facts.items() if name != "version_id")
        for file in files
    )


def _each_once(files: Iterable[File]) -> Iterable[File]:
    return {file.id: file for file in files}.values()


def _primary(files: Sequence[File]) -> int | None:
    """The one file a reference without a selection means: CivitAI's own choice, else the first
    safetensors of the model, else the first file of the model."""

    def rank(file: File) -> tuple[bool, bool, bool]:
        is_model = TYPES.get(file.type.lower()) == "model"
        return not file.primary, not is_model, file.format != "SafeTensor"

    best = min(files, key=rank, default=None)
    return best.id if best else None


def _names(files: Sequence[File], primary: int | None) -> dict[int, str]:
    """Names are the uploaders', hostile ones included: `safety` judges them. Where several files
    share one, all but the first in rank carry their id."""
    shared = Counter(_name(file).casefold() for file in _each_once(files))
    taken, names = set[str](), dict[int, str]()
    for file in sorted(_each_once(files), key=lambda file: (file.id != primary, file.id)):
        name = _name(file)
        if shared[name.casefold()] > 1 and name.casefold() in taken:
            name = _with_id(name, file.id)
        taken.add(name.casefold())
        names[file.id] = name
    return names


def _name(file: File) -> str:
    return file.name or f"file-{file.id}{SUFFIXES.get(file.format, '')}"


def _with_id(name: str, identity: int) -> str:
    suffix = PurePosixPath(name).suffix
    return f"{name.removesuffix(suffix)}-{identity}{suffix}"


def _facts(file: File, primary: int | None) -> Mapping[str, str]:
    facts = {
        "type": file.type,
        "format": file.format,
        "precision": file.precision,
        "size": file.size_class,
        "primary": "true" if file.id == primary else "",
        "scan": _scan(file),
        "version_id": str(file.version_id),
    }
    return {name: value for name, value in facts.items() if value}


def _scan(file: File) -> str:
    results = {file.pickle_scan.lower(), file.virus_scan.lower()}
    if results & FAILED:
        return "failed"
    return "passed" if results == {PASSED} else "pending"


def _warnings(file: File) -> Iterable[str]:
    if file.digest is None:
        yield "CivitAI publishes no hash of this file: it cannot be verified, only recorded."
    elif file.digest.algorithm not in STRONG:
        yield "CivitAI publishes only a short hash of this file: it cannot be verified."
    for what, result in (("pickle", file.pickle_scan), ("virus", file.virus_scan)):
        if result.lower() in FAILED:
            yield f"CivitAI's {what} scan of this file says {result}."
    if _scan(file) == "pending":
        yield "CivitAI has not scanned this file yet."
