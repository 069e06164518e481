"""From a repository of a hub to labelled images, by a real SDXL on the CPU: the whole service, its
real engine and its links, on the embedded default and on PostgreSQL, Redis and S3."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

from runners import image_files
from tests import hubs
from tests.dreamforge_site.supervisor.supervised import wait_until
from tests.jobs.generation.forge import Forge, Picture, exiftool, fetched
from tests.live import Templates
from tests.services.redis import RedisServer
from tests.services.s3 import S3Server

# The database is each test's own choice, whichever the suite runs on.
pytestmark = [
    pytest.mark.pure,
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

REPO = "forge/tiny-xl"
PROMPT = "Größe, “quotes” & 日本語 🎉\nNegative prompt: no"
ASKED = {"prompt": PROMPT, "negative_prompt": "fog", "width": 64, "height": 64, "steps": 3}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An SDXL of random weights, as diffusers keeps it."""
    from tests.runners.engines.sdxl import models

    folder = models.save_folder(models.tiny(), tmp_path_factory.mktemp("tiny"))
    return {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}


Start = Callable[..., Forge]


@pytest.fixture
def start(
    repository: dict[str, Path], live_templates: Templates, tmp_path: Path
) -> Iterator[Start]:
    with hubs.running() as hub, _starting(hub, live_templates, tmp_path) as started:
        hub.huggingface.add(REPO, repository)
        yield started


@contextmanager
def _starting(hub: hubs.Hub, templates: Templates, data_dir: Path) -> Iterator[Start]:
    forges: list[Forge] = []

    def start(database: str, **variables: str) -> Forge:
        settings = {
            **templates.copy(database, data_dir),
            "DF_RUNNER": "sdxl",
            "DF_MIN_FREE_BYTES": "0",
            "DF_CIVITAI_ENDPOINT": hub.civitai_endpoint,
            "HF_ENDPOINT": hub.endpoint,
            "OMP_NUM_THREADS": "1",
            **variables,
        }
        forges.append(Forge(data_dir, settings))
        forges[-1].wait_until_ready()
        return forges[-1]

    try:
        yield start
    finally:
        for forge in forges:
            forge.process.destroy()


def pixels(picture: Picture) -> bytes:
    return image_files.read(picture.data).rgb


def drawn_as_asked(forge: Forge, folder: Path) -> Picture:
    """All that must hold wherever the files are; one of the images."""
    model = forge.download(f"hf:{REPO}")
    asked = {**ASKED, "model_id": model}
    five = forge.draw(**asked, count=5)
    assert len({one.seed for one in five}) == 5
    assert len({pixels(one) for one in five}) == 5
    assert [one.artifact["item_index"] for one in five] == [0, 1, 2, 3, 4]
    (again,) = forge.draw(**asked, seed=five[2].seed)
    assert pixels(again) == pixels(five[2])
    silent = {**asked, "seed": 7, "seed_strategy": "increment", "count": 2, "embed_metadata": False}
    first, second = forge.draw(**silent), forge.draw(**silent)
    assert [one.data for one in first] == [one.data for one in second]
    assert first[0].data != first[1].data
    (photo,) = forge.draw(**asked, seed=9, format="jpg")
    _says_what_made_it(five[0], model, exiftool(five[0].data, folder), "PNG:Dreamforge")
    _says_what_made_it(photo, model, exiftool(photo.data, folder), "File:Comment")
    assert not {"PNG:Parameters", "PNG:Dreamforge"} & exiftool(first[0].data, folder).keys()
    return five[0]


def _says_what_made_it(picture: Picture, model: str, told: dict[str, Any], record: str) -> None:
    said = json.loads(told[record])
    wanted = {**ASKED, "seed": picture.seed, "model_id": model, "scheduler": "dpmpp_2m_karras"}
    assert wanted.items() <= said.items()
    assert said["checkpoint_hash"].startswith("sha256:")
    text = told["PNG:Parameters"] if "PNG:Parameters" in told else told["ExifIFD:UserComment"]
    assert text.startswith(f"{PROMPT}\nNegative prompt: fog\nSteps: 3, Sampler: DPM++ 2M")
    assert f"Seed: {picture.seed}," in text


def thumbnail_of(picture: Picture) -> tuple[str | None, tuple[int, int]]:
    """The format and size of the small picture that its link leads to."""
    with Image.open(io.BytesIO(fetched(picture.artifact["thumbnail_url"]))) as image:
        return image.format, image.size


def status_of(url: str) -> int:
    return requests.get(url, timeout=30).status_code


def bent(url: str) -> list[str]:
    """The link with another last letter of its signature, without it, and for another file."""
    last = "A" if url[-1] != "A" else "B"
    parts = urlsplit(url)
    other = parts.path[:-12] + ("0" if parts.path[-12] != "0" else "1") + parts.path[-11:]
    return [url[:-8] + last + url[-7:], url.partition("?")[0], url.replace(parts.path, other)]


def after_its_end(forge: Forge, picture: Picture) -> int:
    """What a link of one second answers when it has ended."""
    link = forge.short_link(picture.artifact["id"])
    wait_until(lambda: status_of(link) != 200, "the end of a link")
    return status_of(link)


def test_from_a_repository_to_images_on_the_embedded_default(start: Start, tmp_path: Path) -> None:
    forge = start("sqlite")
    picture = drawn_as_asked(forge, tmp_path)
    url = picture.artifact["url"]
    assert fetched(url) == picture.data
    assert thumbnail_of(picture) == ("WEBP", (64, 64))
    assert [status_of(link) for link in bent(url)] == [403, 422, 403]
    assert after_its_end(forge, picture) == 403
    assert (tmp_path / "artifacts" / picture.artifact["s3_key"]).read_bytes() == picture.data


def test_from_a_repository_to_images_on_postgres_redis_and_s3(
    start: Start, redis_server: RedisServer, s3_server: S3Server, tmp_path: Path
) -> None:
    public = f"http://localhost:{s3_server.port}"
    forge = start(
        "postgres",
        DF_BROKER_URL=redis_server.url,
        **s3_server.settings("whole-path"),
        DF_S3_PUBLIC_ENDPOINT=public,
    )
    picture = drawn_as_asked(forge, tmp_path)
    url = picture.artifact["url"]
    assert url.startswith(f"{public}/whole-path/{picture.artifact['s3_key']}?")
    assert fetched(url) == picture.data
    assert thumbnail_of(picture) == ("WEBP", (64, 64))
    assert [status_of(link) for link in bent(url)] == [403, 400, 403]  # 400: nobody signed it
    assert status_of(url.replace("localhost", "127.0.0.1")) == 403  # signed for one address
    assert after_its_end(forge, picture) == 400  # this server's word for AccessDenied
    assert not (tmp_path / "artifacts").exists()
