"""Images over HTTP: links that end, ranges, presets, and whether an image was made here."""

from __future__ import annotations

import base64
import time
from typing import Any
from unittest import mock

import pytest
from django.core.files.storage import default_storage
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.models import Artifact, Job
from registry.models import Model
from runners import image_files
from runners.engines.base import Picture
from tests.callers import client_of
from tests.jobs.generation.conftest import asked, draw_next

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]


@pytest.fixture
def job(mira: User, model: Model) -> Job:
    submission.submit("generate", asked(seed=7), mira)
    return draw_next()


def listed(api: APIClient, job: Job, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/v1/jobs/{job.pk}/artifacts", query)
    assert answer.status_code == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()["artifacts"]
    return found


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def file_of(job: Job) -> bytes:
    with default_storage.open(job.artifacts.get().s3_key) as file:
        data: bytes = file.read()
    return data


def test_an_artifact_has_all_the_contract_names(api: APIClient, job: Job) -> None:
    (shown,) = listed(api, job)
    assert set(shown) == {
        "id",
        "format",
        "content_type",
        "width",
        "height",
        "seed",
        "item_index",
        "s3_key",
        "url",
        "thumbnail_url",
        "expires_at",
        "sha256",
        "size_bytes",
        "created_at",
    }
    assert (shown["seed"], shown["width"], shown["content_type"]) == (7, 64, "image/png")


def test_a_link_needs_no_sign_in_and_gives_the_file(api: APIClient, job: Job) -> None:
    (shown,) = listed(api, job)
    answer = APIClient().get(shown["url"])
    assert answer.status_code == 200
    assert body(answer) == file_of(job)
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Length"] == str(shown["size_bytes"])
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_part_of_the_file_can_be_asked_for(api: APIClient, job: Job) -> None:
    url = listed(api, job)[0]["url"]
    part = APIClient().get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, body(part)) == (206, file_of(job)[10:20])
    assert part["Content-Range"].startswith("bytes 10-19/")
    beyond = APIClient().get(url, headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416


def test_a_link_ends(api: APIClient, job: Job) -> None:
    url = listed(api, job, ttl=60)[0]["url"]
    with mock.patch("time.time", return_value=time.time() + 61):
        answer = APIClient().get(url)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("old", "new"), [("signature=", "signature=x"), ("expires=1", "expires=2")]
)
def test_a_link_that_was_changed_opens_nothing(
    api: APIClient, job: Job, old: str, new: str
) -> None:
    url = listed(api, job)[0]["url"].replace(old, new)
    assert APIClient().get(url).status_code == 403


def test_a_link_opens_no_other_artifact(api: APIClient, job: Job, mira: User) -> None:
    submission.submit("generate", asked(), mira)
    other = draw_next()
    url, id_ = listed(api, job)[0]["url"], listed(api, job)[0]["id"]
    theirs = url.replace(id_, str(other.artifacts.get().pk))
    assert APIClient().get(theirs).status_code == 403


@pytest.mark.parametrize("ttl", [59, 604_801, "soon"])
def test_the_life_of_a_link_has_bounds(api: APIClient, job: Job, ttl: Any) -> None:
    assert api.get(f"/v1/jobs/{job.pk}/artifacts", {"ttl": ttl}).status_code == 422


def test_a_file_that_is_gone_is_not_found(api: APIClient, job: Job) -> None:
    url = listed(api, job)[0]["url"]
    default_storage.delete(job.artifacts.get().s3_key)
    assert APIClient().get(url).status_code == 404


def test_somebody_elses_images_are_not_there(job: Job, otto: User) -> None:
    assert client_of(otto).get(f"/v1/jobs/{job.pk}/artifacts").status_code == 404


def test_the_presets_are_listed(api: APIClient) -> None:
    names = [preset["name"] for preset in api.get("/v1/presets").json()["presets"]]
    assert names == ["cpu", "8gb", "12gb", "24gb", "80gb"]


def verdict(api: APIClient, data: bytes) -> dict[str, Any]:
    image = {"image": base64.b64encode(data).decode()}
    answer = api.post("/v1/artifacts:verify", image, format="json")
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def test_an_image_made_here_is_known_and_can_be_made_again(api: APIClient, job: Job) -> None:
    found = verdict(api, file_of(job))
    assert found["verdict"] == "authentic"
    assert found["job_id"] == str(job.pk)
    again = api.post("/v1/jobs", found["request"], format="json")
    assert again.status_code == 202, again.json()
    draw_next()
    pictures = set(Artifact.objects.values_list("pixels_sha256", flat=True))
    assert len(pictures) == 1


def test_a_picture_that_was_changed_is_found_out(api: APIClient, job: Job) -> None:
    image = image_files.read(file_of(job))
    rgb = bytes([image.rgb[0] ^ 1]) + image.rgb[1:]
    changed = image_files.encode(Picture(image.width, image.height, rgb), "png", image.record)
    assert verdict(api, changed)["verdict"] == "altered"


def test_a_record_that_was_changed_is_found_out(api: APIClient, job: Job) -> None:
    image = image_files.read(file_of(job))
    picture = Picture(image.width, image.height, image.rgb)
    lies = {**(image.record or {}), "prompt": "another"}
    assert verdict(api, image_files.encode(picture, "png", lies))["verdict"] == "altered"


def test_an_image_that_says_nothing_any_more_is_known_to_its_owner_only(
    api: APIClient, job: Job, otto: User
) -> None:
    image = image_files.read(file_of(job))
    bare = image_files.encode(Picture(image.width, image.height, image.rgb), "png", None)
    assert verdict(api, bare)["verdict"] == "authentic"
    assert verdict(client_of(otto), bare)["verdict"] == "unknown"


@pytest.mark.parametrize("image", ["%%%", "", "Nª\U000e0084", base64.b64encode(b"GIF89a").decode()])
def test_what_is_no_image_is_refused_by_name(api: APIClient, image: str) -> None:
    answer = api.post("/v1/artifacts:verify", {"image": image}, format="json")
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == ["image"]
