"""Whether an image was made here: every way to send it, what was done to it, and hostile files."""

from __future__ import annotations

import base64
import io
import struct
import threading
import zlib
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.generation import image_parts
from jobs.generation.api import verify
from jobs.models import Artifact, Job
from registry.models import Model
from runners import image_files
from runners.engines.base import Picture
from tests.callers import client_of
from tests.jobs.generation.conftest import asked, draw_next

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]
VERIFY = "/v1/artifacts:verify"
TYPES = {"png": "image/png", "jpg": "image/jpeg"}


def made(mira: User, **params: Any) -> Job:
    submission.submit("generate", asked(**params), mira)
    return draw_next()


def file_of(job: Job, item: int = 0) -> bytes:
    with default_storage.open(job.artifacts.get(item_index=item).s3_key) as file:
        data: bytes = file.read()
    return data


def sent(api: APIClient, data: bytes, content_type: str = "image/png") -> Any:
    return api.post(VERIFY, data, content_type=content_type)


def verdict(api: APIClient, data: bytes, content_type: str = "image/png") -> dict[str, Any]:
    answer = sent(api, data, content_type)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def fault(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 422, answer.content
    found: dict[str, Any] = answer.json()["details"]["fields"]
    return found


def form(*files: bytes, **more: Any) -> dict[str, Any]:
    uploads = [SimpleUploadedFile("a.png", data, "image/png") for data in files]
    return {"image": uploads, **more}


# Ways to send it


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_the_file_itself_is_the_body(api: APIClient, mira: User, model: Model, format: str) -> None:
    job = made(mira, seed=7, format=format)
    found = verdict(api, file_of(job), TYPES[format])
    assert (found["verdict"], found["job_id"]) == ("authentic", str(job.pk))


def test_a_form_takes_the_file(api: APIClient, mira: User, model: Model) -> None:
    data = file_of(made(mira))
    answer = api.post(VERIFY, form(data), format="multipart")
    assert (answer.status_code, answer.json()["verdict"]) == (200, "authentic")


def test_a_file_larger_than_base64_in_json_could_be_is_read_whole(
    api: APIClient, mira: User, model: Model
) -> None:
    data = file_of(made(mira))
    padded = data[:-12] + _chunk(b"prIv", b"\0" * 4_000_000) + data[-12:]
    assert verdict(api, padded)["verdict"] == "authentic"
    answer = api.post(VERIFY, form(padded), format="multipart")
    assert answer.json()["verdict"] == "authentic"


def test_a_form_takes_one_file_and_nothing_else(api: APIClient) -> None:
    assert fault(api.post(VERIFY, form(b"a", wings="2"), format="multipart")) == {
        "wings": ["Unknown field."]
    }
    assert list(fault(api.post(VERIFY, form(b"a", b"b"), format="multipart"))) == ["image"]
    assert list(fault(api.post(VERIFY, {"other": "x"}, format="multipart"))) == ["other"]


@pytest.mark.parametrize("content_type", ["image/png", "application/json"])
def test_nothing_sent_is_refused_by_name(api: APIClient, content_type: str) -> None:
    assert list(fault(sent(api, b"", content_type))) == ["image"]


def test_another_type_of_file_is_not_taken(api: APIClient) -> None:
    assert sent(api, b"GIF89a", "image/gif").status_code == 415


def test_nobody_may_ask_without_signing_in() -> None:
    assert sent(APIClient(), b"x").status_code == 401


# What was done to it


@pytest.mark.parametrize(
    "params",
    [
        {"seed": 7},
        {"count": 2},
        {"format": "jpg", "count": 2, "seed": 5, "seed_strategy": "increment"},
        {"preset": "cpu", "negative_prompt": "fog", "guidance": 3.5, "scheduler": "ddim"},
    ],
)
def test_the_request_it_offers_makes_the_same_file_again(
    api: APIClient, mira: User, model: Model, params: dict[str, Any]
) -> None:
    job = made(mira, **params)
    last = job.params["count"] - 1
    found = verdict(api, file_of(job, last), TYPES[job.params["format"]])
    answer = api.post("/v1/jobs", found["request"], format="json")
    assert answer.status_code == 202, answer.json()
    again = draw_next()
    first, second = job.artifacts.get(item_index=last), again.artifacts.get()
    assert (second.seed, second.pixels_sha256) == (first.seed, first.pixels_sha256)
    assert again.model_id == job.model_id
    alike = set(job.params) - {"seed", "count", "seed_strategy"}
    assert {name: again.params[name] for name in alike} == {
        name: job.params[name] for name in alike
    }


def test_an_image_that_never_said_anything_is_made_again_silently(
    api: APIClient, mira: User, model: Model
) -> None:
    job = made(mira, embed_metadata=False, seed=3)
    found = verdict(api, file_of(job))
    assert (found["verdict"], found["job_id"]) == ("authentic", str(job.pk))
    assert api.post("/v1/jobs", found["request"], format="json").status_code == 202
    assert file_of(draw_next()) == file_of(job)


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_one_altered_pixel_is_found_out(
    api: APIClient, mira: User, model: Model, format: str
) -> None:
    image = image_files.read(file_of(made(mira, format=format)))
    rgb = bytes([image.rgb[0] ^ 0x40]) + image.rgb[1:]
    changed = image_files.encode(Picture(image.width, image.height, rgb), format, image.record)
    found = verdict(api, changed, TYPES[format])
    assert (found["verdict"], found["request"]) == ("altered", None)


def test_a_jpeg_without_its_metadata_is_known_by_its_picture(
    api: APIClient, mira: User, model: Model
) -> None:
    job = made(mira, format="jpg")
    bare = _without_metadata(file_of(job))
    assert image_files.read(bare).record is None
    found = verdict(api, bare, "image/jpeg")
    assert (found["verdict"], found["job_id"]) == ("authentic", str(job.pk))


def test_a_lie_about_our_picture_is_altered_and_the_truth_is_told(
    api: APIClient, mira: User, model: Model, otto: User
) -> None:
    job = made(mira)
    image = image_files.read(file_of(job))
    lie = {**(image.record or {}), "prompt": "another"}
    picture = Picture(image.width, image.height, image.rgb)
    found = verdict(api, image_files.encode(picture, "png", lie))
    assert (found["verdict"], found["job_id"]) == ("altered", str(job.pk))
    assert found["request"]["prompt"] == "a lighthouse"
    assert verdict(client_of(otto), image_files.encode(picture, "png", lie))["job_id"] is None


def test_a_record_of_another_image_does_not_make_a_picture_ours(
    api: APIClient, mira: User, model: Model
) -> None:
    record = image_files.read(file_of(made(mira))).record
    foreign = image_files.encode(Picture(8, 8, bytes(192)), "png", record)
    assert verdict(api, foreign)["verdict"] == "altered"


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_a_foreign_image_is_unknown(api: APIClient, format: str) -> None:
    foreign = image_files.encode(Picture(8, 8, bytes(range(192))), format, None)
    found = verdict(api, foreign, TYPES[format])
    told = {"verdict": "unknown", "record": None, "job_id": None, "request": None}
    assert told.items() <= found.items()


def test_an_image_whose_job_was_removed_is_still_authentic(
    api: APIClient, mira: User, model: Model
) -> None:
    job = made(mira, seed=7)
    data = file_of(job)
    Artifact.objects.all().delete()
    found = verdict(api, data)
    assert (found["verdict"], found["artifact_id"]) == ("authentic", None)
    assert {"seed": 7, "format": "png", "model_id": str(model.pk)}.items() <= found[
        "request"
    ].items()


# Hostile files


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def _png(width: int, height: int, *chunks: bytes, rows: bytes = b"") -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    picture = _chunk(b"IDAT", zlib.compress(rows))
    return image_parts.PNG + head + b"".join(chunks) + picture + _chunk(b"IEND", b"")


def _without_metadata(jpeg: bytes) -> bytes:
    """Its APP1 and comment segments cut out; the picture's own bytes stay."""
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != image_parts.START_OF_SCAN:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        kept += b"" if jpeg[at + 1] in (0xE1, 0xFE) else jpeg[at:end]
        at = end
    return kept + jpeg[at:]


def _real_png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "PNG")
    return out.getvalue()


HOSTILE = {
    "cut off": _real_png()[:60],
    "only a signature": image_parts.PNG,
    "a bomb of pixels": _png(60_000, 60_000),
    "larger than ours": _png(5000, 4000, rows=b"\0" * 100),
    "the largest dimensions": _png(2**31 - 1, 2**31 - 1),
    "no width": _png(0, 4),
    "less than it says": _png(64, 64, rows=b"\0"),
    "a bomb of text": _png(4, 4, _chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 50_000_000))),
    "a bomb of pieces": _png(4, 4, _chunk(b"teXt", b"") * 30_000),
    "a JPEG of pieces": image_parts.JPEG + b"\xff\xe5\x00\x02" * 30_000,
    "a page": b"<svg onload=alert(1)>",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_by_name(api: APIClient, data: bytes) -> None:
    assert list(fault(sent(api, data))) == ["image"]


@pytest.mark.parametrize(
    "record",
    [b"[" * 100_000, b'{"job_id": [1], "signature": {}}', b'{"job_id": "x", "signature": "\xff"}'],
)
def test_a_hostile_record_is_no_proof(api: APIClient, record: bytes) -> None:
    rows = (b"\0" + b"\0" * 12) * 4
    data = _png(4, 4, _chunk(b"tEXt", b"dreamforge\0" + record), rows=rows)
    assert verdict(api, data)["verdict"] in ("unknown", "altered")


def test_pieces_are_counted_no_further_than_needed() -> None:
    piece = _chunk(b"teXt", b"")
    assert not image_parts.too_many(image_parts.PNG + piece * image_parts.MOST)
    assert image_parts.too_many(image_parts.PNG + piece * (image_parts.MOST + 1))
    assert not image_parts.too_many(b"GIF89a" + piece * (image_parts.MOST + 1))


def test_the_largest_picture_of_ours_has_few_enough_pieces() -> None:
    side = 1024
    rgb = bytes(range(256)) * (side * side * 3 // 256)
    for_both = [image_files.encode(Picture(side, side, rgb), form, None) for form in TYPES]
    assert [image_parts.too_many(data) for data in for_both] == [False, False]


def test_who_waits_too_long_for_a_turn_is_asked_to_come_again(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_decoding", threading.BoundedSemaphore(1))
    monkeypatch.setattr(verify, "PATIENCE_S", 0.01)
    with verify._a_turn():
        answer = sent(api, _real_png())
    assert (answer.status_code, answer.json()["code"]) == (503, "infra_unavailable")
    assert int(answer["Retry-After"]) >= 1
    assert sent(api, _real_png()).status_code == 200  # the turn was given back


def test_base64_is_still_taken(api: APIClient, mira: User, model: Model) -> None:
    image = base64.b64encode(file_of(made(mira))).decode()
    answer = api.post(VERIFY, {"image": image}, format="json")
    assert answer.json()["verdict"] == "authentic"
