"""The official client, unchanged, against the real server and a worker that pretends to draw."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import openai
import pytest
import requests

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from jobs.models import Artifact, Job
from jobs.states import State
from runners import image_files
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.jobs.generation.conftest import a_model
from tests.jobs.service import Service, wait_until
from tests.live import LiveSite

pytestmark = pytest.mark.live
SMALL = {"steps": 2}
Clients = list[openai.OpenAI]


@pytest.fixture
def clients() -> Iterator[Clients]:
    """Those that a test made; they are closed at its end."""
    made: Clients = []
    yield made
    for client in made:
        client.close()


def client_of(site: LiveSite, key: str, clients: Clients) -> openai.OpenAI:
    clients.append(openai.OpenAI(base_url=f"{site.base_url}/openai/v1", api_key=key))
    return clients[-1]


def key_of(user: User) -> str:
    return keys.make(user, "pictures", ("read", "jobs")).revealed


def worker_of(service: Service, **variables: str) -> Supervised:
    return service.worker("gpu", None, DF_RUNNER="fake", **variables)


def asked_of(client: openai.OpenAI, **more: object) -> openai.types.ImagesResponse:
    asked: dict[str, object] = {"prompt": "a lighthouse", "size": "64x64", "extra_body": SMALL}
    return client.images.generate(**{**asked, **more})  # type: ignore[call-overload, no-any-return]


def test_official_client_lists_models_and_gets_images_both_ways(
    service: Service, clients: Clients
) -> None:
    site = service.web(DF_AUTH="on", DF_RUNNER="fake")
    worker_of(service)
    model = a_model("forge")
    mira = User.objects.create_user("mira")
    client = client_of(site, key_of(mira), clients)

    assert [one.id for one in client.models.list()] == ["forge@1"]
    assert client.models.retrieve("forge@1").object == "model"

    two = asked_of(client, n=2, model="forge@1", user="somebody")
    pictures = [requests.get(image.url or "", timeout=30).content for image in two.data or ()]
    stored = set(Artifact.objects.values_list("sha256", flat=True))
    assert {hashlib.sha256(picture).hexdigest() for picture in pictures} == stored
    assert len(stored) == 2
    (job,) = Job.objects.all()
    assert (job.owner, job.model_id, job.status) == (mira, model.pk, State.SUCCEEDED)

    drawn = asked_of(client, response_format="b64_json", output_format="jpeg").data
    assert drawn
    image = drawn[0]
    read = image_files.read(base64.b64decode(image.b64_json or "", validate=True))
    assert (read.format, read.width, read.height) == ("jpg", 64, 64)


def test_official_client_raises_its_own_errors(service: Service, clients: Clients) -> None:
    site = service.web(DF_AUTH="on", DF_RUNNER="fake")
    client = client_of(site, key_of(User.objects.create_user("mira")), clients)
    with pytest.raises(openai.AuthenticationError) as unknown_key:
        client_of(site, "sk-nobody", clients).models.list()
    assert unknown_key.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as unknown_model:
        asked_of(client, model="dall-e-3")
    assert (unknown_model.value.code, unknown_model.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as wrong_size:
        asked_of(client, size="63x64")
    assert wrong_size.value.param == "size"
    with pytest.raises(openai.BadRequestError) as unknown_field:
        asked_of(client, extra_body={"wings": 2})
    assert (unknown_field.value.code, unknown_field.value.param) == ("unknown_parameter", "wings")
    with pytest.raises(openai.APIStatusError) as too_large:  # refused before Django sees it
        asked_of(client, prompt="x" * 1_100_000)
    assert (too_large.value.status_code, too_large.value.code) == (413, "payload_too_large")
    assert not Job.objects.exists()


def test_what_takes_too_long_goes_on_and_is_collected_later(
    service: Service, clients: Clients
) -> None:
    site = service.web(DF_AUTH="off", DF_RUNNER="fake")
    client = client_of(site, "any key", clients)
    with pytest.raises(openai.InternalServerError) as not_ready:
        asked_of(client, extra_headers={"Prefer": "wait=1"})
    (job,) = Job.objects.all()  # and not one for each of the client's retries
    assert (not_ready.value.status_code, not_ready.value.code) == (504, "images_not_ready")
    assert str(job.pk) in not_ready.value.message
    assert str(job.owner) == "default"
    worker_of(service)
    service.wait_until_over([job.pk])
    later = requests.get(f"{client.base_url}images/generations/{job.pk}/b64_json", timeout=30)
    assert len(later.json()["data"]) == 1


def test_a_job_that_failed_is_told_once_and_not_drawn_again(
    service: Service, clients: Clients
) -> None:
    site = service.web(DF_AUTH="off", DF_RUNNER="fake")
    worker_of(service, DREAMFORGE_RUNNER_FAULT="gpu-oom@step:2")
    with pytest.raises(openai.InternalServerError) as failed:
        asked_of(client_of(site, "any key", clients))
    (job,) = Job.objects.all()
    assert (failed.value.status_code, failed.value.code) == (500, "oom")
    assert str(job.pk) in failed.value.message


def test_a_client_that_leaves_does_not_stop_its_job(service: Service) -> None:
    site = service.web(DF_AUTH="off", DF_RUNNER="fake")
    body = b'{"prompt": "a lighthouse", "size": "64x64", "steps": 2}'
    head = (
        f"POST /openai/v1/images/generations HTTP/1.1\r\nHost: {urlsplit(site.base_url).netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        wait_until(Job.objects.exists, "the job", site.log)
        time.sleep(0.2)  # the answer is held back by now; either way the job must go on
    worker_of(service)
    service.wait_until_over()
    assert Job.objects.get().status == State.SUCCEEDED
