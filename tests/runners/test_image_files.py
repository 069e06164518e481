"""Images and what they say of themselves: written, read back by us and by others, signed."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest
from PIL import Image

from runners import image_files, image_metadata, signatures
from runners.engines.base import Picture
from runners.image_files import NotAnImage

pytestmark = pytest.mark.pure

SIZE = (16, 8)
PICTURE = Picture(*SIZE, bytes(range(128)) * 3)
PROMPTS = [
    "a lighthouse",
    "Größe, “quotes” & 日本語 🎉",
    "two\nlines\r\nand a\ttab",
    "--> <script>alert(1)</script> {{7*7}}",
    "a prompt\nNegative prompt: that lies",
]


def facts(prompt: str, **more: Any) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "negative_prompt": "blurry, dark: very",
        "width": SIZE[0],
        "height": SIZE[1],
        "steps": 30,
        "guidance": 7.0,
        "scheduler": "dpmpp_2m_karras",
        "seed": 2**53 - 1,
        "checkpoint_hash": "sha256:" + "ab" * 32,
        "model_name": "forge, xl",
        **more,
    }


@pytest.mark.parametrize("format", ["png", "jpg"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_word_survives_the_round_trip(format: str, prompt: str) -> None:
    written = facts(prompt)
    found = image_files.read(image_files.encode(PICTURE, format, written))
    assert found.record == written
    assert found.parameters == image_metadata.parameters_text(written)
    assert (found.format, found.width, found.height) == (format, *SIZE)


def test_a_png_keeps_the_picture_to_the_bit() -> None:
    assert image_files.read(image_files.encode(PICTURE, "png", None)).rgb == PICTURE.rgb


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_without_metadata_a_file_says_nothing(format: str) -> None:
    data = image_files.encode(PICTURE, format, None)
    found = image_files.read(data)
    assert (found.record, found.parameters) == (None, None)
    assert b"lighthouse" not in data


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_the_digest_of_the_picture_is_that_of_what_a_reader_sees(format: str) -> None:
    data = image_files.encode(PICTURE, format, facts("x"))
    seen = hashlib.sha256(image_files.read(data).rgb).hexdigest()
    assert image_files.pixels_sha256(PICTURE, format) == seen


def test_the_parameters_are_in_the_form_that_others_read() -> None:
    assert image_metadata.parameters_text(facts("a lighthouse")) == (
        "a lighthouse\n"
        "Negative prompt: blurry, dark: very\n"
        "Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.0, "
        "Seed: 9007199254740991, Size: 16x8, Model hash: ababababab, "
        'Model: "forge, xl"'
    )


def test_a_png_holds_the_record_as_a_plain_text_chunk() -> None:
    data = image_files.encode(PICTURE, "png", facts("日本語"))
    assert b"tEXtdreamforge\0" in data
    assert b"iTXtparameters\0" in data


def test_the_exif_comment_is_unicode_in_the_byte_order_that_old_readers_take() -> None:
    data = image_files.encode(PICTURE, "jpg", facts("日本語"))
    assert b"UNICODE\0" + "日本語".encode("utf-16-be") in data
    with Image.open(io.BytesIO(data)) as image:
        tags = image.getexif()
        comment = tags.get_ifd(image_metadata.EXIF_POINTER)[image_metadata.USER_COMMENT]
        assert json.loads(image.info["comment"])["prompt"] == "日本語"
    assert comment.startswith(b"UNICODE\0")


def test_more_than_a_jpeg_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="a JPEG holds"):
        image_metadata.exif(facts("x" * 40_000))


def test_the_longest_prompts_fit() -> None:
    longest = facts("🎉" * 4096, negative_prompt="é" * 4096, more="🎉" * 4096)
    assert image_files.read(image_files.encode(PICTURE, "jpg", longest)).record == longest


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" * 9])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        image_files.read(data)


def test_an_image_larger_than_any_of_ours_is_not_decoded() -> None:
    out = io.BytesIO()
    Image.new("1", (5000, 5000)).save(out, "PNG")
    with pytest.raises(NotAnImage, match="larger"):
        image_files.read(out.getvalue())


@pytest.mark.parametrize("at", range(0, 52, 3))
def test_a_damaged_exif_block_is_no_exception(at: int) -> None:
    block = bytearray(image_metadata.exif(facts("x")))
    block[at] ^= 0xFF
    said = image_metadata.read_exif(bytes(block))
    assert said is None or isinstance(said, str)


def test_a_signature_holds_for_its_record_and_key_only() -> None:
    signed = signatures.signed(facts("x"), "key")
    assert signatures.is_genuine(signed, "key")
    assert not signatures.is_genuine(signed, "another key")
    assert not signatures.is_genuine({**signed, "seed": 1}, "key")
    assert not signatures.is_genuine(facts("x"), "key")
    assert not signatures.is_genuine({**signed, "signature": 5}, "key")


def test_a_record_read_from_a_file_still_verifies() -> None:
    signed = signatures.signed(facts("Größe 🎉"), "key")
    found = image_files.read(image_files.encode(PICTURE, "jpg", signed)).record
    assert found is not None
    assert signatures.is_genuine(found, "key")


@pytest.mark.parametrize("text", ['{"x": NaN}', '{"x": 1e999}', '{"x": "\\ud800"}'])
def test_a_record_that_cannot_be_told_on_is_none(text: str) -> None:
    assert image_metadata.record_of(text) is None
