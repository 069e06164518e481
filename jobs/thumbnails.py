"""Where the small picture of an image is stored: beside it, under a key that says whose it is."""

from __future__ import annotations

BESIDE = ".thumb.webp"
CONTENT_TYPE = "image/webp"


def key_of(image_key: str) -> str:
    return image_key + BESIDE


def image_of(key: str) -> str | None:
    """The key of the image that a thumbnail is of; None: this is no thumbnail."""
    return key.removesuffix(BESIDE) if key.endswith(BESIDE) else None


def stored_keys(image_key: str, has_thumbnail: bool) -> tuple[str, ...]:
    """Of every file that belongs to an image."""
    return (image_key, key_of(image_key)) if has_thumbnail else (image_key,)
