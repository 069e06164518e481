"""A small picture of a picture, for pages that show many of them."""

from __future__ import annotations

import io

from PIL import Image

from runners.engines.base import Picture

NAME = "thumb.webp"  # how the name of such a file ends
LONGEST_SIDE = 384
QUALITY = 80


def encode(picture: Picture) -> bytes:
    """A WebP file that says nothing of itself; a picture that is small already keeps its size."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()
