"""CivitAI's answers as frozen values. What is missing there is None here; nothing is assumed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from downloader.library.checksums import Digest

LARGEST_ID = 2**31 - 1  # its database keeps ids in an int4
# Strongest first. AutoV2 is the beginning of the SHA-256, and CRC32 is no digest at all.
HASHES = (
    ("SHA256", "sha256", 64),
    ("BLAKE3", "blake3", 64),
    ("AutoV2", "autov2", 10),
    ("CRC32", "crc32", 8),
)
LICENCE_FACTS = (
    "allowCommercialUse",
    "allowNoCredit",
    "allowDerivatives",
    "allowDifferentLicense",
)
KINDS = {
    "LORA": "lora",
    "LOCON": "lora",
    "DORA": "lora",
    "VAE": "vae",
    "TEXTUALINVERSION": "embedding",
    "UPSCALER": "upscaler",
}
SDXL_FAMILY = ("SDXL", "PONY", "ILLUSTRIOUS", "NOOBAI")
NOT_SDXL = ("PONY V7",)  # another architecture under the family's name


class Unexpected(ValueError):
    """JSON of another shape than CivitAI's."""


@dataclass(frozen=True)
class File:
    id: int
    version_id: int  # the version it belongs to: not always the one that lists it
    name: str
    type: str  # CivitAI's word: Model, Pruned Model, VAE, Config, Training Data, …
    size: int | None
    digest: Digest | None
    primary: bool
    format: str
    precision: str
    size_class: str
    pickle_scan: str
    virus_scan: str


@dataclass(frozen=True)
class Version:
    id: int
    model_id: int
    name: str
    base_model: str
    trained_words: tuple[str, ...]
    files: tuple[File, ...]
    early_access_until: str | None
    downloadable: bool  # False: its author lets it be used on the site only
    published: bool


@dataclass(frozen=True)
class Model:
    id: int
    name: str
    type: str
    author: str
    mode: str  # "", Archived, TakenDown
    tags: tuple[str, ...]
    licence: Mapping[str, Any]
    versions: tuple[Version, ...]


def model_of(data: Any) -> Model:
    body = _object(data)
    identity = _id(body.get("id"))
    creator = body.get("creator")
    return Model(
        id=identity,
        name=_text(body.get("name")) or f"model-{identity}",
        type=_text(body.get("type")),
        author=_text(creator.get("username")) if isinstance(creator, dict) else "",
        mode=_text(body.get("mode")),
        tags=_texts(body.get("tags")),
        licence={name: body[name] for name in LICENCE_FACTS if name in body},
        versions=tuple(version_of(row, identity) for row in _rows(body.get("modelVersions"))),
    )


def version_of(data: Any, model_id: int | None = None) -> Version:
    body = _object(data)
    identity = _id(body.get("id"))
    usage = _text(body.get("usageControl"))
    return Version(
        id=identity,
        model_id=_id(body["modelId"]) if body.get("modelId") is not None else model_id or 0,
        name=_text(body.get("name")),
        base_model=_text(body.get("baseModel")),
        trained_words=_texts(body.get("trainedWords")),
        files=tuple(_file(row, identity) for row in _rows(body.get("files"))),
        early_access_until=_early_access(body),
        downloadable=usage in ("", "Download"),
        published=_text(body.get("status")) in ("", "Published"),
    )


def _early_access(body: Mapping[str, Any]) -> str | None:
    """The deadline, or the word "unknown": early access whose end is not told as a date."""
    deadline = _text(body.get("earlyAccessEndsAt")) or _text(body.get("earlyAccessDeadline"))
    if not deadline and _text(body.get("availability")) != "EarlyAccess":
        return None
    try:
        datetime.fromisoformat(deadline)
    except ValueError:
        return "unknown"
    return deadline


def _file(data: Any, version_id: int) -> File:
    body = _object(data)
    metadata = body.get("metadata")
    facts = metadata if isinstance(metadata, dict) else {}
    home = body.get("modelVersionId")
    return File(
        id=_id(body.get("id")),
        version_id=_id(home) if home is not None else version_id,
        name=body["name"] if isinstance(body.get("name"), str) else "",
        type=_text(body.get("type")) or "Model",
        size=_size(body.get("sizeKB")),
        digest=_digest(body.get("hashes")),
        primary=body.get("primary") is True,
        format=_text(facts.get("format")),
        precision=_text(facts.get("fp")),
        size_class=_text(facts.get("size")),
        pickle_scan=_text(body.get("pickleScanResult")),
        virus_scan=_text(body.get("virusScanResult")),
    )


def _size(kibibytes: Any) -> int | None:
    """The exact size. One that was rounded gives no whole number of bytes, and is not a size."""
    if isinstance(kibibytes, bool) or not isinstance(kibibytes, int | float):
        return None
    size = kibibytes * 1024
    whole = 0 <= size < 2**53 and abs(size - round(size)) < 1e-3
    return round(size) if whole else None


def _digest(hashes: Any) -> Digest | None:
    """The strongest hash that has the form of one."""
    if not isinstance(hashes, dict):
        return None
    for name, algorithm, length in HASHES:
        value = _text(hashes.get(name)).lower()
        if re.fullmatch(rf"[0-9a-f]{{{length}}}", value):
            return Digest(algorithm, value)
    return None


def kind_of(model_type: str, base_model: str) -> str:
    """The registry's word for what CivitAI says it is."""
    base = base_model.upper()
    if model_type.upper() != "CHECKPOINT":
        return KINDS.get(model_type.upper(), "other")
    family = any(word in base for word in SDXL_FAMILY)
    return "sdxl-checkpoint" if family and base not in NOT_SDXL else "other"


def slug_of(name: str) -> str:
    """A name as it stands in the address of its page."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")


def _object(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise Unexpected("not an object")
    return data


def _rows(data: Any) -> Iterable[Any]:
    if data is None:
        return ()
    if not isinstance(data, list):
        raise Unexpected("not a list")
    return data


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_ID:
        raise Unexpected("not an id")
    return value


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    rows = value if isinstance(value, list) else []
    return tuple(text for row in rows if (text := _text(row)))
