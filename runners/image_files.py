"""Image files, written with what they say of themselves and read back."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from runners import image_metadata
from runners.engines.base import Picture

CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg"}
JPEG_QUALITY = 95
# More is no image of ours: width and height end at 4096.
MOST_PIXELS = 4096 * 4096


class NotAnImage(ValueError):
    """It cannot be read as a PNG or JPEG of a size this service makes."""


@dataclass(frozen=True)
class Described:
    """`record` is our own JSON, `parameters` the text of the widespread form; `rgb` the pixels."""

    format: str
    width: int
    height: int
    rgb: bytes
    record: dict[str, Any] | None
    parameters: str | None


def encode(picture: Picture, format: str, facts: Mapping[str, Any] | None) -> bytes:
    """The file's bytes; `facts` None: it says nothing of itself."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    out = io.BytesIO()
    if format == "png":
        image.save(out, "PNG", pnginfo=_chunks(facts) if facts else None)
    else:
        more = _segments(facts) if facts else {}
        image.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0, **more)
    return out.getvalue()


def pixels_sha256(picture: Picture, format: str) -> str:
    """The digest of the picture that a reader of the file will see: JPEG changes it a little."""
    if format == "png":
        return hashlib.sha256(picture.rgb).hexdigest()
    return hashlib.sha256(read(encode(picture, format, None)).rgb).hexdigest()


def read(data: bytes) -> Described:
    """What a file shows and says; NotAnImage for anything else, however hostile."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            return _described(image)
    except NotAnImage:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise NotAnImage("not a PNG or JPEG file") from None


def _described(image: Image.Image) -> Described:
    if image.width * image.height > MOST_PIXELS:
        raise NotAnImage("larger than any image that is made here")
    image.load()
    record, parameters = _said(image)
    return Described(
        "png" if image.format == "PNG" else "jpg",
        image.width,
        image.height,
        image.convert("RGB").tobytes(),
        image_metadata.record_of(record),
        parameters,
    )


def _chunks(facts: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    # Text beyond Latin-1 becomes an iTXt chunk in UTF-8; the record is ASCII and always tEXt.
    info.add_text(image_metadata.PARAMETERS, image_metadata.parameters_text(facts))
    info.add_text(image_metadata.RECORD, image_metadata.record_text(facts))
    return info


def _segments(facts: Mapping[str, Any]) -> dict[str, bytes]:
    return {"exif": image_metadata.exif(facts), "comment": image_metadata.comment(facts)}


def _said(image: Image.Image) -> tuple[str | None, str | None]:
    if image.format == "PNG":
        texts: Mapping[str, Any] = getattr(image, "text", {})
        record = texts.get(image_metadata.RECORD)
        parameters = texts.get(image_metadata.PARAMETERS)
        return _text(record), _text(parameters)
    comment = image.info.get("comment", b"")
    record = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else None
    return record or None, image_metadata.read_exif(image.info.get("exif", b""))


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str) else None
