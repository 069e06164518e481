"""Small pictures of pictures: made beside each image, and never at its cost."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from runners import protocol, thumbnails
from runners.child import files, main
from runners.child.line import Line
from runners.engines.base import Picture
from runners.engines.fake import FakeEngine
from runners.protocol import Draw, Item, ItemDone, Note

pytestmark = pytest.mark.pure

EMBER = (200, 90, 30)


def plain(width: int, height: int) -> Picture:
    return Picture(width, height, bytes(EMBER) * (width * height))


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1024, 1024), (384, 384)),
        ((1216, 832), (384, 263)),
        ((64, 1024), (24, 384)),
        ((4096, 64), (384, 6)),
        ((384, 384), (384, 384)),
        ((64, 72), (64, 72)),
    ],
)
def test_the_longest_side_is_bounded_and_nothing_grows(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    assert opened(thumbnails.encode(plain(*size))).size == small


def test_it_is_a_webp_of_the_picture_that_says_nothing() -> None:
    image = opened(thumbnails.encode(plain(640, 480)))
    assert (image.format, image.mode) == ("WEBP", "RGB")
    assert not {"exif", "xmp", "icc_profile", "comment"} & image.info.keys()
    seen: Any = image.getpixel((100, 100))
    assert max(abs(ours - theirs) for ours, theirs in zip(EMBER, seen, strict=True)) <= 8


def test_it_lies_beside_the_image(tmp_path: Path) -> None:
    said: list[tuple[str, ...]] = []
    path = files.write_thumbnail(
        plain(640, 480), tmp_path / "3.png", lambda *words: said.append(words)
    )
    assert path == tmp_path / "3.thumb.webp"
    assert opened(path.read_bytes()).size == (384, 288)
    assert said == []


# What cannot be made


def drawn(folder: Path) -> list[Any]:
    """What a child says of one image."""
    reading, writing = os.pipe()
    request = Draw(
        id="job/1",
        prompt="a lighthouse",
        negative_prompt="",
        width=64,
        height=64,
        steps=1,
        guidance=7.0,
        scheduler="euler",
        format="png",
        out_dir=str(folder),
        items=(Item(0, 5),),
        embed_metadata=False,
    )
    main._draw_pass(FakeEngine(), request, request.items, Line(writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        return [protocol.read_as_parent(line) for line in lines]


def of(said: Sequence[Any], kind: type) -> list[Any]:
    return [message for message in said if isinstance(message, kind)]


def test_a_finished_image_names_its_thumbnail(tmp_path: Path) -> None:
    said = drawn(tmp_path)
    (done,) = of(said, ItemDone)
    assert done.thumbnail_path == str(tmp_path / "0.thumb.webp")
    assert opened(Path(done.thumbnail_path).read_bytes()).size == (64, 64)
    assert of(said, Note) == []


def test_a_thumbnail_that_cannot_be_made_costs_nobody_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = drawn(tmp_path)

    def fails(_picture: Picture) -> bytes:
        raise MemoryError("a secret of this machine")

    monkeypatch.setattr(thumbnails, "encode", fails)
    said = drawn(tmp_path)
    (done,), (before,) = of(said, ItemDone), of(whole, ItemDone)
    assert (done.thumbnail_path, done.sha256) == (None, before.sha256)
    assert of(said, Note) == [Note("warning", "no_thumbnail", "0.png: MemoryError")]


def test_a_picture_with_too_few_bytes_has_no_thumbnail(tmp_path: Path) -> None:
    said: list[tuple[str, ...]] = []
    broken = Picture(640, 480, b"short")
    assert (
        files.write_thumbnail(broken, tmp_path / "0.png", lambda *words: said.append(words)) is None
    )
    assert said == [("warning", "no_thumbnail", "0.png: ValueError")]
    assert list(tmp_path.iterdir()) == []
