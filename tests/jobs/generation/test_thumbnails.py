"""The small picture that is stored beside each image: given out, kept and removed with it."""

from __future__ import annotations

import io
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
from django.core.files import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.test import RequestFactory
from django.utils import timezone
from PIL import Image
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import artifacts, claims, execution, leftovers, submission, upkeep
from jobs.admin import facts
from jobs.artifacts import Drawn
from jobs.models import Artifact, Job, Leftover, Step
from registry.models import Model
from tests.jobs.generation.conftest import asked, draw_next, drawn
from tests.services.s3 import S3Server

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]

LARGE = {"width": 640, "height": 480}


@pytest.fixture
def job(mira: User, model: Model) -> Job:
    submission.submit("generate", asked(seed=7, **LARGE), mira)
    return draw_next()


def shown(api: APIClient, job: Job, **query: Any) -> dict[str, Any]:
    """Its one artifact, as the API tells it."""
    answer = api.get(f"/v1/jobs/{job.pk}/artifacts", query)
    assert answer.status_code == 200, answer.json()
    (found,) = answer.json()["artifacts"]
    return dict(found)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def stored() -> list[str]:
    """The names of all files in the storage."""
    root = Path(default_storage.path(""))
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def of(artifact: Artifact) -> list[str]:
    """The image and its thumbnail."""
    return [artifact.s3_key, f"{artifact.s3_key}.thumb.webp"]


# Beside the image


def test_an_image_has_a_small_picture_beside_it(job: Job) -> None:
    artifact = job.artifacts.get()
    assert artifact.has_thumbnail
    assert stored() == of(artifact)
    with default_storage.open(f"{artifact.s3_key}.thumb.webp") as file:
        image = Image.open(io.BytesIO(file.read()))
    assert (image.format, image.size) == ("WEBP", (384, 288))
    assert not Leftover.objects.exists()


def test_the_storage_is_told_the_type_of_both_files(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine may know no type for `.webp`, and a bucket would give the file out as bytes."""
    save: Any = FileSystemStorage._save  # type: ignore[attr-defined]  # the stubs leave it out
    told = []

    def listen(storage: FileSystemStorage, name: str, content: Any) -> str:
        told.append(content.content_type)
        return str(save(storage, name, content))

    monkeypatch.setattr(FileSystemStorage, "_save", listen)
    drawn(format="jpg")
    assert told == ["image/jpeg", "image/webp"]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage keeps half of a thumbnail and fails."""
    save: Any = FileSystemStorage._save  # type: ignore[attr-defined]  # the stubs leave it out

    def fail(storage: FileSystemStorage, name: str, content: File[Any]) -> str:
        kept = str(save(storage, name, content))
        if name.endswith(".webp"):
            Path(storage.path(kept)).write_bytes(b"half")
            raise OSError("no space is left")
        return kept

    monkeypatch.setattr(FileSystemStorage, "_save", fail)


def test_a_thumbnail_that_is_not_stored_costs_nobody_the_image(
    refusing: None, api: APIClient, job: Job
) -> None:
    assert (job.status, job.attempts) == ("succeeded", 1)
    told = shown(api, job)
    assert told["thumbnail_url"] is None
    assert APIClient().get(told["url"]).status_code == 200


def test_half_a_thumbnail_goes_by_itself_and_its_image_stays(refusing: None, job: Job) -> None:
    artifact = job.artifacts.get()
    assert stored() == of(artifact)
    assert leftovers.clear() == 0
    Leftover.objects.update(since=timezone.now() - timedelta(seconds=1))
    assert leftovers.clear() == 1
    assert stored() == [artifact.s3_key]


def test_the_image_is_the_same_to_the_bit_with_and_without(
    model: Model, request: pytest.FixtureRequest
) -> None:
    bare = {"seed": 7, "embed_metadata": False, **LARGE}
    first = drawn(**bare).artifacts.get()
    request.getfixturevalue("refusing")
    second = drawn(**bare).artifacts.get()
    assert (first.has_thumbnail, second.has_thumbnail) == (True, False)
    assert (first.sha256, first.size_bytes) == (second.sha256, second.size_bytes)


def test_a_thumbnail_that_got_another_key_is_taken_away_again(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: Any = FileSystemStorage.get_available_name

    def rename(storage: FileSystemStorage, name: str, max_length: int | None = None) -> str:
        name = name.replace(".webp", ".taken.webp")
        return str(named(storage, name, max_length=max_length))

    monkeypatch.setattr(FileSystemStorage, "get_available_name", rename)
    artifact = drawn().artifacts.get()
    assert not artifact.has_thumbnail
    assert len(stored()) == 2
    assert leftovers.clear() == 1
    assert stored() == [artifact.s3_key]


# Links


def test_the_link_needs_no_sign_in_and_gives_the_small_picture(api: APIClient, job: Job) -> None:
    told = shown(api, job)
    answer = APIClient().get(told["thumbnail_url"])
    assert answer.status_code == 200
    data = body(answer)
    assert Image.open(io.BytesIO(data)).size == (384, 288)
    assert answer["Content-Type"] == "image/webp"
    assert answer["Content-Length"] == str(len(data))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["ETag"] != APIClient().get(told["url"])["ETag"]
    part = APIClient().get(told["thumbnail_url"], headers={"Range": "bytes=4-9"})
    assert (part.status_code, body(part)) == (206, data[4:10])


def test_the_link_ends_with_that_of_the_image(api: APIClient, job: Job) -> None:
    told = shown(api, job, ttl=60)
    with mock.patch("time.time", return_value=time.time() + 61):
        answers = [APIClient().get(told[name]) for name in ("url", "thumbnail_url")]
    assert [answer.status_code for answer in answers] == [403, 403]


@pytest.mark.parametrize(
    ("given", "door", "other"),
    [("thumbnail_url", "/thumbnail?", "/file?"), ("url", "/file?", "/thumbnail?")],
)
def test_a_link_to_one_file_opens_not_the_other(
    api: APIClient, job: Job, given: str, door: str, other: str
) -> None:
    url = shown(api, job)[given]
    assert door in url
    assert APIClient().get(url.replace(door, other)).status_code == 403


def test_a_link_that_was_changed_opens_nothing(api: APIClient, job: Job) -> None:
    url = shown(api, job)["thumbnail_url"]
    assert APIClient().get(url.replace("signature=", "signature=x")).status_code == 403
    assert APIClient().get(url.replace("expires=1", "expires=2")).status_code == 403
    assert APIClient().get(url.partition("?")[0]).status_code == 422


def test_the_gallery_tells_of_thumbnails_too(api: APIClient, job: Job) -> None:
    (image,) = api.get("/v1/artifacts").json()["artifacts"]
    assert APIClient().get(image["thumbnail_url"]).status_code == 200


# Images of earlier times have none


@pytest.fixture
def older(job: Job) -> Artifact:
    artifact = job.artifacts.get()
    default_storage.delete(f"{artifact.s3_key}.thumb.webp")
    Artifact.objects.update(has_thumbnail=False)
    artifact.refresh_from_db()
    return artifact


def test_an_image_without_one_says_so(api: APIClient, job: Job, older: Artifact) -> None:
    assert shown(api, job)["thumbnail_url"] is None
    (image,) = api.get("/v1/artifacts").json()["artifacts"]
    assert image["thumbnail_url"] is None


def test_a_thumbnail_that_is_gone_is_not_found(api: APIClient, job: Job) -> None:
    url = shown(api, job)["thumbnail_url"]
    Artifact.objects.update(has_thumbnail=False)
    assert APIClient().get(url).status_code == 404
    Artifact.objects.update(has_thumbnail=True)
    assert APIClient().get(url).status_code == 200
    default_storage.delete(f"{job.artifacts.get().s3_key}.thumb.webp")
    assert APIClient().get(url).status_code == 404


def test_a_jobs_page_shows_the_image_itself_where_there_is_no_thumbnail(job: Job) -> None:
    request = RequestFactory().get("/")
    artifact = job.artifacts.get()
    small = facts._image(request, artifact)
    artifact.has_thumbnail = False
    whole = facts._image(request, artifact)
    assert "/thumbnail?" in small.tile
    assert "/file?" in small.url
    assert whole.tile == whole.url == small.url


# Removed with the image


def test_a_removed_image_takes_its_thumbnail_along(api: APIClient, job: Job) -> None:
    told = shown(api, job)
    assert api.delete(f"/v1/artifacts/{told['id']}").status_code == 204
    assert APIClient().get(told["thumbnail_url"]).status_code == 404
    leftovers.clear()
    assert stored() == []


def test_a_removed_job_takes_its_thumbnails_along(job: Job) -> None:
    leftovers.forget_jobs(Job.objects.filter(pk=job.pk))
    leftovers.clear()
    assert (stored(), Leftover.objects.count()) == ([], 0)


def test_thumbnails_go_with_the_images_that_are_past_their_time(
    job: Job, settings: Settings
) -> None:
    settings.RETENTION_ARTIFACTS_DAYS = 7
    assert upkeep.run()["files"] == 0
    Artifact.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert upkeep.run()["files"] == 2
    assert stored() == []


def test_an_image_that_is_drawn_again_takes_the_place_of_both_files(
    mira: User, model: Model
) -> None:
    submission.submit("generate", asked(), mira)
    lease = claims.next_lease("gpu", "a worker", ["generate"])
    assert lease is not None
    assert execution.prepare(lease, "0") is not None
    step = Step.objects.get(job_id=lease.job_id)

    def made(key: str) -> Drawn:
        leftovers.expect([key, f"{key}.thumb.webp"])
        pixels = "0" * 64
        return Drawn(key, "png", "image/png", 8, 8, 1, pixels, 1, has_thumbnail=True)

    assert artifacts.record(lease, step.pk, 0, made("first.png"))
    assert not Leftover.objects.exists()
    assert artifacts.record(lease, step.pk, 0, made("second.png"))
    gone = set(Leftover.objects.values_list("s3_key", flat=True))
    assert gone == {"first.png", "first.png.thumb.webp"}


def test_a_thumbnail_that_is_shown_is_not_removed(job: Job) -> None:
    artifact = job.artifacts.get()
    Leftover.objects.create(s3_key=f"{artifact.s3_key}.thumb.webp")
    assert leftovers.clear() == 1
    assert stored() == of(artifact)


# In a bucket


@pytest.fixture
def bucket(settings: Settings, s3_server: S3Server) -> None:
    name = f"thumbnails-{uuid.uuid4().hex[:8]}"
    s3_server.settings(name)
    options = {
        "bucket_name": name,
        "endpoint_url": s3_server.endpoint,
        "region_name": "us-east-1",
        "access_key": s3_server.access_key,
        "secret_key": s3_server.secret_key,
        "addressing_style": "path",
        "signature_version": "s3v4",
        "default_acl": None,
        "file_overwrite": True,
    }
    storage = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": storage, "links": storage}
    settings.STORAGE_LINKS = "storage"


@pytest.mark.live
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_in_a_bucket_the_thumbnail_lies_beside_its_image_and_goes_with_it(
    bucket: None, api: APIClient, job: Job
) -> None:
    artifact, told = job.artifacts.get(), shown(api, job)
    assert f"{artifact.s3_key}.thumb.webp?" in told["thumbnail_url"]
    answer = requests.get(told["thumbnail_url"], timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(answer.content)).size == (384, 288)
    assert api.delete(f"/v1/artifacts/{artifact.pk}").status_code == 204
    leftovers.clear()
    assert [default_storage.exists(key) for key in of(artifact)] == [False, False]
