"""Which files are meant when nobody says: those the model needs, each weight once.

* A version with a primary file (CivitAI): that file.
* A diffusers layout (`model_index.json` at the top): the parts of the model, as safetensors where
  there are any, in the default variant; not the same weights for other programs.
* Anything else: every file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from downloader.library.errors import NothingSelected
from downloader.library.remote import RemoteFile
from downloader.library.safety import Policy, refusal
from downloader.library.sources.filetypes import WEIGHTS, type_of

LAYOUT_FILE: Final = "model_index.json"
TOP_FILES: Final = frozenset({LAYOUT_FILE, "config.json", "scheduler_config.json"})
PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})
FOREIGN: Final = "is for another program than diffusers on torch"
SHARD: Final = re.compile(r"-\d{5}-of-\d{5}")
NO_VARIANT: Final = frozenset({"safetensors", "bin", "index", "json"})
MODEL_TYPES: Final = frozenset({"", "model", "pruned model"})  # as CivitAI calls them


@dataclass
class Choice:
    taken: list[RemoteFile] = field(default_factory=list)
    skipped: list[tuple[RemoteFile, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def put(self, file: RemoteFile, why_not: str | None) -> None:
        if why_not is None:
            self.taken.append(file)
        else:
            self.skipped.append((file, why_not))


def choose(files: Sequence[RemoteFile], policy: Policy) -> Choice:
    """What to install of `files`. The policy only helps to choose; it is not applied."""
    if any(file.facts.get("primary") for file in files):
        return _primary(files, policy)
    if any(file.path == LAYOUT_FILE for file in files):
        return _diffusers(files, policy)
    return Choice(taken=list(files))


# One file of several


def _primary(files: Sequence[RemoteFile], policy: Policy) -> Choice:
    """The primary file, or the first one of the model that is allowed if the primary one is not."""
    primary = next(file for file in files if file.facts.get("primary"))
    others = [file for file in files if file is not primary and _is_model(file)]
    allowed = [file for file in (primary, *others) if not _refused(file, policy)]
    taken = allowed[0] if allowed else primary
    choice = Choice()
    for file in files:
        other = f"is another file of this version; #{file.key} selects it"
        choice.put(file, None if file is taken else _refused(file, policy) or other)
    if taken is not primary:
        why = _refused(primary, policy)
        choice.warnings.append(f"{primary.path!r} {why}. {taken.path!r} is taken in its place.")
    return choice


def _is_model(file: RemoteFile) -> bool:
    return file.type == "model" and file.facts.get("type", "").casefold() in MODEL_TYPES


def _refused(file: RemoteFile, policy: Policy) -> str | None:
    return refusal(file.path, policy, type=file.type)


# A folder for each part of the model


@dataclass(frozen=True)
class _Part:
    """What is decided for one folder: the weights to take, and why nothing of it, if so."""

    files: Sequence[RemoteFile]
    weights: frozenset[str] = frozenset()
    left_out: str | None = None
    variant: str = ""
    barred: bool = False  # there are weights, and the policy allows none of them


def _diffusers(files: Sequence[RemoteFile], policy: Policy) -> Choice:
    choice = Choice()
    parts = _parts(files, policy)
    for file in files:
        folder, slash, name = file.path.partition("/")
        if not slash:
            choice.put(file, _why_not_top(file))
        else:
            choice.put(file, _why_not_in(parts[folder], file, name))
    choice.warnings.extend(_warnings(parts))
    return choice


def _why_not_top(file: RemoteFile) -> str | None:
    suffix = PurePosixPath(file.path).suffix.casefold()
    if file.path in TOP_FILES or (type_of(file.path) == "doc" and suffix not in PICTURES):
        return None
    if suffix in WEIGHTS:
        return "is a whole model beside the diffusers layout; select it with #"
    return "is no part of the model"


def _parts(files: Sequence[RemoteFile], policy: Policy) -> Mapping[str, _Part]:
    folders: dict[str, list[RemoteFile]] = {}
    for file in files:
        folder, slash, _name = file.path.partition("/")
        if slash:
            folders.setdefault(folder, []).append(file)
    return {name: _part(name, held, folders, policy) for name, held in folders.items()}


def _part(name: str, files: Sequence[RemoteFile], folders: Iterable[str], policy: Policy) -> _Part:
    if not any(_describes(file) for file in files):
        return _Part(files, left_out="is in a folder that is no part of the model")
    older = re.fullmatch(r"(.+?)_\d+_\d+", name)  # vae_1_0 beside vae
    if older and older[1] in folders:
        return _Part(files, left_out=f"is another edition of {older[1]}; select it with #")
    by_format = {form: [file for file in files if _form(file) == form] for form in WEIGHT_FORMS}
    if by_format["foreign"] and not (by_format["safetensors"] or by_format["pickle"]):
        return _Part(files, left_out=FOREIGN)
    usable = by_format["safetensors"] or by_format["pickle"]
    variant = _variant_of(name, usable)
    weights = frozenset(file.path for file in usable if _variant(file.path) == variant)
    barred = bool(usable) and all(_refused(file, policy) for file in usable)
    return _Part(files, weights, None, variant, barred)


WEIGHT_FORMS: Final = ("safetensors", "pickle", "foreign")


def _form(file: RemoteFile) -> str | None:
    path = PurePosixPath(file.path.casefold())
    known = WEIGHTS.get(path.suffix)
    if known is None and path.suffix not in (".onnx_data", ".xml"):
        return None
    if path.name.startswith("openvino") or known not in ("safetensors", "pickle"):
        return "foreign"
    return known


def _describes(file: RemoteFile) -> bool:
    name = PurePosixPath(file.path).name
    direct = file.path.count("/") == 1
    return direct and (name.endswith("config.json") or type_of(file.path) == "tokenizer")


def _variant(path: str) -> str:
    """`fp16` of `model.fp16-00001-of-00002.safetensors`; "" for the default one."""
    name = SHARD.sub("", PurePosixPath(path).name)
    return ".".join(word for word in name.split(".")[1:] if word not in NO_VARIANT)


def _variant_of(folder: str, weights: Sequence[RemoteFile]) -> str:
    """The default one; another one only if there is nothing to choose."""
    variants = sorted({_variant(file.path) for file in weights})
    if len(variants) > 1 and "" not in variants:
        raise NothingSelected(
            f"{folder!r} holds the variants {', '.join(variants)} and none by default. Select the "
            f"files with #, such as #*.json,*.txt,*.{variants[0]}.safetensors"
        )
    return variants[0] if variants else ""


def _why_not_in(part: _Part, file: RemoteFile, name: str) -> str | None:
    if part.left_out or "/" in name:
        return part.left_out or "is in a folder that is no part of the model"
    if (form := _form(file)) is not None:
        return None if file.path in part.weights else _why_not_weights(part, file, form)
    if name.endswith(".json") and ".index." in name:
        return _why_not_index(part, file)
    if PurePosixPath(name).suffix.casefold() in PICTURES:
        return "is a picture"
    return None


def _why_not_weights(part: _Part, file: RemoteFile, form: str) -> str:
    if form == "foreign":
        return FOREIGN
    if form == "pickle" and any(path.endswith(".safetensors") for path in part.weights):
        return "holds what the safetensors beside it hold"
    return f"is the variant {_variant(file.path) or 'by default'}; select it with #"


def _why_not_index(part: _Part, file: RemoteFile) -> str | None:
    format_ = "safetensors" if ".safetensors." in file.path else "bin"
    here = any(path.endswith(format_) for path in part.weights)
    if here and _variant(file.path) == part.variant:
        return None
    return "lists weights that are not taken"


def _warnings(parts: Mapping[str, _Part]) -> Iterable[str]:
    for name, part in parts.items():
        if part.left_out is None and part.variant:
            yield f"{name!r} has no default weights; its only variant, {part.variant}, is taken."
        if part.barred:
            yield f"{name!r} has no weights of an allowed format: the model may not be usable."
