"""From a picture to a file that appears whole: encoded, described, signed, synced, renamed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners import image_files, signatures, thumbnails
from runners.engines.base import Picture, Say, Seeded
from runners.protocol import Draw


@dataclass(frozen=True)
class Written:
    path: Path
    sha256: str
    pixels_sha256: str
    size_bytes: int


def write(picture: Picture, request: Draw, item: Seeded) -> Written:
    pixels = image_files.pixels_sha256(picture, request.format)
    data = image_files.encode(picture, request.format, _facts(request, item, pixels))
    path = Path(request.out_dir) / f"{item.index}.{request.format}"
    _appear(path, data)
    return Written(path, hashlib.sha256(data).hexdigest(), pixels, len(data))


def write_thumbnail(picture: Picture, image: Path, say: Say) -> Path | None:
    """A small picture beside the image's file. None, and a warning, when it cannot be made: that
    costs nobody the image."""
    path = image.with_name(f"{image.stem}.{thumbnails.NAME}")
    try:
        path.write_bytes(thumbnails.encode(picture))
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, the image is finished
        say("warning", "no_thumbnail", f"{image.name}: {type(error).__name__}")
        return None
    return path


def _facts(request: Draw, item: Seeded, pixels: str) -> dict[str, Any] | None:
    if not request.embed_metadata:
        return None
    facts = {**request.metadata, "seed": item.seed, "pixels_sha256": pixels}
    return signatures.signed(facts, request.signing_key)


def _appear(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
