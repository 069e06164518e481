"""What CivitAI offers: models, their versions, the files of a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tests.hubs import blake3
from tests.hubs.content import Content, as_content

BLAKE3_BELOW = 1 << 15  # it is slow here


@dataclass(frozen=True)
class File:
    """`hashes`: None for the right ones, else exactly these, as they shall be published ({}: the
    scan is pending). `disposition`: the name in Content-Disposition, where it is not `name`.
    `listed_only`: its download answers 404."""

    name: str
    data: Content | bytes | str | Path
    type: str = "Model"  # Model, Pruned Model, VAE, Config, Training Data, Archive
    format: str = "SafeTensor"  # SafeTensor, PickleTensor, Diffusers, Other
    size: str | None = "full"  # full, pruned
    fp: str | None = "fp16"
    primary: bool | None = None
    hashes: Mapping[str, str] | None = None
    size_kb: float | None = None  # in place of the true one
    pickle_scan: str = "Success"
    virus_scan: str = "Success"
    disposition: str | None = None
    listed_only: bool = False
    id: int = 0

    @cached_property
    def content(self) -> Content:
        return as_content(self.data)

    @cached_property
    def true_hashes(self) -> dict[str, str]:
        sha256 = self.content.sha256.upper()
        hashes = {"AutoV2": sha256[:10], "SHA256": sha256, "CRC32": self.content.crc32.upper()}
        if self.content.size <= BLAKE3_BELOW:
            hashes["BLAKE3"] = blake3.hexdigest(self.content.read()).upper()
        return hashes

    @property
    def published_hashes(self) -> Mapping[str, str]:
        return self.true_hashes if self.hashes is None else self.hashes


@dataclass(frozen=True)
class Version:
    """`login`: its files are for accounts. `early_access_until`: a date, for those who paid.
    `archived`: the files are gone. `disabled`: the creator switched downloads off."""

    id: int
    name: str = "v1.0"
    files: tuple[File, ...] = ()
    base_model: str = "SDXL 1.0"
    words: tuple[str, ...] = ()
    login: bool = False
    early_access_until: str | None = None
    archived: bool = False
    disabled: bool = False

    def numbered(self) -> Version:
        """Every file with an id; the first is primary if none is."""
        chosen = any(file.primary for file in self.files)
        files = tuple(
            replace(
                file,
                id=file.id or self.id * 10 + place,
                primary=bool(file.primary) if chosen else place == 0,
            )
            for place, file in enumerate(self.files)
        )
        return replace(self, files=files)


@dataclass(frozen=True)
class Model:
    """`mode`: None, "Archived" or "TakenDown"."""

    id: int
    name: str
    versions: tuple[Version, ...]
    type: str = "Checkpoint"
    creator: str = "somebody"
    description: str = "<p>Made for tests.</p>"
    tags: tuple[str, ...] = ()
    nsfw: bool = False
    mode: str | None = None
    licence: Mapping[str, object] = field(
        default_factory=lambda: {
            "allowNoCredit": True,
            "allowCommercialUse": ["Image"],
            "allowDerivatives": True,
            "allowDifferentLicense": False,
        }
    )

    @property
    def slug(self) -> str:
        letters = "".join(c if c.isascii() and c.isalnum() else " " for c in self.name.lower())
        return "-".join(letters.split())
