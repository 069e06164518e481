"""Shapes and errors of the door, layer by layer, and what becomes of what was asked for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import lifecycle, submission
from jobs.errors import Failure
from jobs.generation.openai import showing
from jobs.models import Job
from jobs.states import State
from registry import catalog
from registry.models import Model
from tests.callers import client_of
from tests.jobs.generation.conftest import a_model, asked, draw_next

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]
IMAGES = "/openai/v1/images/generations"
SMALL = {"prompt": "a lighthouse", "size": "64x64", "steps": 2}


def error_of(answer: Any, status: int) -> dict[str, Any]:
    """The one shape of an error."""
    told: dict[str, Any] = json.loads(answer.content)
    assert answer.status_code == status, told
    assert list(told) == ["error"]
    assert sorted(told["error"]) == ["code", "message", "param", "type"]
    assert told["error"]["message"]
    found: dict[str, Any] = told["error"]
    return found


def made(api: APIClient, **more: Any) -> Job:
    """The job of a request that is not waited for."""
    answer = api.post(IMAGES, {**SMALL, **more}, format="json", headers={"Prefer": "wait=0"})
    assert error_of(answer, 504)["code"] == "images_not_ready"
    return Job.objects.latest("created_at")


# Errors


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/openai", 404, "not_found"),
        ("get", "/openai/v1/nothing", 404, "not_found"),
        ("get", IMAGES, 405, "method_not_supported"),
        ("put", "/openai/v1/models", 405, "method_not_supported"),
        ("get", "/openai/v1/models/nobody", 404, "model_not_found"),
        ("get", f"{IMAGES}/00000000-0000-4000-8000-000000000000", 404, "not_found"),
        ("get", "/openai/v1/models?color=red", 400, "unknown_parameter"),
    ],
)
def test_an_error_of_any_address_has_that_apis_shape(
    api: APIClient, method: str, path: str, status: int, code: str
) -> None:
    assert error_of(getattr(api, method)(path), status)["code"] == code


def test_nobody_is_told_so_in_that_apis_words() -> None:
    told = error_of(APIClient().get("/openai/v1/models"), 401)
    assert (told["type"], told["code"]) == ("invalid_request_error", "invalid_api_key")


def test_a_body_that_is_no_json_is_refused_in_that_shape(api: APIClient) -> None:
    told = error_of(api.post(IMAGES, b'{"prompt": ', content_type="application/json"), 400)
    assert (told["type"], told["code"]) == ("invalid_request_error", "malformed_request")
    assert error_of(api.post(IMAGES, b"x", content_type="text/plain"), 415)["param"] is None


def test_a_host_that_is_not_ours_is_refused_in_that_shape() -> None:
    error_of(Client(headers={"Host": "elsewhere.example"}).get("/openai/v1/models"), 400)


def test_plain_http_is_refused_in_that_shape(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    told = error_of(APIClient().get("/openai/v1/models"), 403)
    assert (told["type"], told["code"]) == ("permission_error", "forbidden")


def test_a_fault_of_the_service_is_told_in_that_shape(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("jobs.generation.openai.naming.listed", broken)
    told = error_of(api.get("/openai/v1/models"), 500)
    assert told["type"] == "server_error"
    assert "secret" not in told["message"]


def test_a_full_queue_is_a_rate_limit(api: APIClient, model: Model, settings: Settings) -> None:
    settings.JOB_MAX_QUEUED_PER_USER = 1
    made(api)
    answer = api.post(IMAGES, SMALL, format="json")
    assert error_of(answer, 429)["type"] == "rate_limit_error"
    assert int(answer["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("sent", "param", "code"),
    [
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": None}, "prompt", "invalid_value"),
        ({"prompt": "x" * 4097}, "prompt", "invalid_value"),
        ({"n": 11}, "n", "invalid_value"),
        ({"n": "2"}, "n", "invalid_value"),
        ({"size": "large"}, "size", "invalid_value"),
        ({"size": "8192x8192"}, "size", "invalid_value"),
        ({"size": "65x64"}, "size", "invalid_value"),
        ({"quality": "best"}, "quality", "invalid_value"),
        ({"output_format": "webp"}, "output_format", "invalid_value"),
        ({"response_format": "file"}, "response_format", "invalid_value"),
        ({"background": "transparent"}, "background", "invalid_value"),
        ({"stream": True}, "stream", "invalid_value"),
        ({"scheduler": "guess"}, "scheduler", "invalid_value"),
        ({"wings": 2}, "wings", "unknown_parameter"),
    ],
)
def test_a_value_that_cannot_be_is_refused_under_its_own_name(
    api: APIClient, model: Model, sent: dict[str, Any], param: str, code: str
) -> None:
    told = error_of(api.post(IMAGES, {**SMALL, **sent}, format="json"), 400)
    assert (told["param"], told["code"]) == (param, code)
    assert not Job.objects.exists()


def test_a_prompt_is_required(api: APIClient) -> None:
    told = error_of(api.post(IMAGES, {}, format="json"), 400)
    assert (told["param"], told["code"]) == ("prompt", "missing_required_parameter")


def test_a_key_that_may_not_look_draws_nothing(mira: User) -> None:
    narrow = client_of(mira, "jobs")
    assert error_of(narrow.post(IMAGES, SMALL, format="json"), 403)["type"] == "permission_error"
    assert not Job.objects.exists()


# What is asked for


def test_the_job_is_the_callers_and_says_what_was_asked(
    api: APIClient, mira: User, model: Model
) -> None:
    job = made(api, n=3, size="128x64", output_format="jpeg", negative_prompt="fog", seed=7)
    wanted = {"count": 3, "width": 128, "height": 64, "format": "jpg", "negative_prompt": "fog"}
    assert wanted.items() <= job.params.items()
    assert (job.type, job.owner, job.params["steps"]) == ("generate", mira, 2)


@pytest.mark.parametrize(
    ("quality", "steps"), [(None, 30), ("auto", 30), ("low", 20), ("standard", 30), ("hd", 50)]
)
def test_quality_is_a_number_of_steps(
    api: APIClient, model: Model, quality: str | None, steps: int
) -> None:
    answer = api.post(
        IMAGES,
        {"prompt": "x", "size": "64x64", "quality": quality},
        format="json",
        headers={"Prefer": "wait=0"},
    )
    error_of(answer, 504)
    assert Job.objects.get().params["steps"] == steps


def test_what_means_nothing_here_is_taken_and_nulls_are_defaults(
    api: APIClient, model: Model
) -> None:
    ignored = {"user": "u", "style": "vivid", "moderation": "low", "output_compression": 80}
    nulls = dict.fromkeys(("n", "size", "model", "quality", "stream", "response_format"))
    job = made(api, **ignored, **nulls)
    assert (job.params["count"], job.params["width"]) == (1, 1024)


@pytest.mark.parametrize("by", ["id", "name", "name@version", "default", ""])
def test_a_model_goes_by_each_of_its_names(api: APIClient, model: Model, by: str) -> None:
    other = a_model("other")
    catalog.disable(other.pk, by=None)
    names = {"id": str(model.pk), "name": "forge", "name@version": "forge@1"}
    assert made(api, model=names.get(by, by)).model_id == model.pk


def test_a_name_of_several_models_means_none_of_them(api: APIClient, model: Model) -> None:
    newer = a_model("forge", version="2", local_path="sdxl-checkpoint/forge@2")
    told = error_of(api.post(IMAGES, {**SMALL, "model": "forge"}, format="json"), 400)
    assert str(model.pk) in told["message"]
    assert str(newer.pk) in told["message"]
    assert made(api, model="forge@2").model_id == newer.pk


def test_where_no_model_is_installed_that_is_said_of_the_model(
    api: APIClient, settings: Settings
) -> None:
    settings.RUNNER = "sdxl"
    told = error_of(api.post(IMAGES, SMALL, format="json"), 400)
    assert told["param"] == "model"
    assert "No model is installed" in told["message"]


def test_quality_is_blamed_for_steps_that_nobody_named(api: APIClient, model: Model) -> None:
    model.parameters_schema["properties"]["steps"]["maximum"] = 8
    model.save()
    by_quality = {"prompt": "x", "size": "64x64", "quality": "hd"}
    assert error_of(api.post(IMAGES, by_quality, format="json"), 400)["param"] == "quality"
    by_steps = {**by_quality, "steps": 9}
    assert error_of(api.post(IMAGES, by_steps, format="json"), 400)["param"] == "steps"


def test_a_disabled_model_is_not_there(api: APIClient, model: Model) -> None:
    catalog.disable(model.pk, by=None)
    told = error_of(api.post(IMAGES, {**SMALL, "model": "forge"}, format="json"), 404)
    assert told["code"] == "model_not_found"
    assert api.get("/openai/v1/models").json() == {"object": "list", "data": []}


def test_models_are_listed_in_that_apis_shape(api: APIClient, model: Model) -> None:
    (shown,) = api.get("/openai/v1/models").json()["data"]
    created = int(model.created_at.timestamp())
    wanted = {"id": "forge@1", "object": "model", "created": created, "owned_by": "dream-forge"}
    assert shown == wanted
    assert api.get("/openai/v1/models/forge@1").json() == shown


def test_the_same_key_sent_again_draws_once(api: APIClient, model: Model) -> None:
    headers = {"Prefer": "wait=0", "Idempotency-Key": "once"}
    first = api.post(IMAGES, SMALL, format="json", headers=headers)
    again = api.post(IMAGES, SMALL, format="json", headers=headers)
    assert error_of(first, 504) == error_of(again, 504)
    assert Job.objects.count() == 1
    other = api.post(IMAGES, {**SMALL, "n": 2}, format="json", headers=headers)
    error_of(other, 409)
    assert other["X-Should-Retry"] == "false"  # else the clients would send it again


# What comes of it


@pytest.fixture
def drawn(mira: User, model: Model) -> Job:
    submission.submit("generate", asked(count=2), mira)
    return draw_next()


def files_of(job: Job) -> list[bytes]:
    found = []
    for artifact in job.artifacts.order_by("item_index"):
        with default_storage.open(artifact.s3_key) as file:
            found.append(file.read())
    return found


def streamed_by(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_images_come_as_links_or_in_base64(api: APIClient, drawn: Job) -> None:
    links = api.get(f"{IMAGES}/{drawn.pk}").json()
    assert [sorted(one) for one in links["data"]] == [["url"], ["url"]]
    fetched = [APIClient().get(one["url"]) for one in links["data"]]
    assert [streamed_by(answer) for answer in fetched] == files_of(drawn)
    streamed = api.get(f"{IMAGES}/{drawn.pk}/b64_json")
    told = json.loads(streamed_by(streamed))
    assert [base64.b64decode(one["b64_json"]) for one in told["data"]] == files_of(drawn)
    assert told["created"] == links["created"] == int(drawn.created_at.timestamp())
    assert (told["size"], told["output_format"]) == ("64x64", "png")


def test_base64_of_a_file_of_many_pieces_is_that_of_the_whole(
    api: APIClient, drawn: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert showing.CHUNK % 3 == 0  # else Base64 of a piece ends in padding
    monkeypatch.setattr(showing, "CHUNK", 300)
    streamed = api.get(f"{IMAGES}/{drawn.pk}/b64_json")
    told = json.loads(streamed_by(streamed))
    assert [base64.b64decode(one["b64_json"]) for one in told["data"]] == files_of(drawn)


def test_somebody_elses_images_are_not_there(drawn: Job, otto: User) -> None:
    error_of(client_of(otto).get(f"{IMAGES}/{drawn.pk}"), 404)


def test_images_that_were_removed_are_not_half_given(api: APIClient, drawn: Job) -> None:
    first = drawn.artifacts.order_by("item_index")[0]
    default_storage.delete(first.s3_key)
    assert error_of(api.get(f"{IMAGES}/{drawn.pk}/b64_json"), 404)["code"] == "images_removed"
    first.delete()
    assert error_of(api.get(f"{IMAGES}/{drawn.pk}"), 404)["code"] == "images_removed"


@pytest.mark.parametrize(
    ("code", "status"), [("oom", 500), ("timeout", 500), ("invalid_model", 400)]
)
def test_a_job_that_failed_says_why_and_asks_for_no_retry(
    api: APIClient, mira: User, model: Model, code: str, status: int
) -> None:
    job = submission.submit("generate", asked(), mira)
    lease = lifecycle.start(job.pk, "a worker")
    assert lease is not None
    lifecycle.fail(lease, Failure(code, "It went wrong."))
    answer = api.get(f"{IMAGES}/{job.pk}")
    told = error_of(answer, status)
    assert (told["code"], told["message"]) == (code, f"It went wrong. (job {job.pk})")
    assert answer["X-Should-Retry"] == "false"


def test_a_canceled_job_is_a_conflict(api: APIClient, mira: User, model: Model) -> None:
    job = submission.submit("generate", asked(), mira)
    submission.cancel(job)
    assert Job.objects.get().status == State.CANCELED
    assert error_of(api.get(f"{IMAGES}/{job.pk}"), 409)["code"] == "canceled"


def test_with_open_access_any_key_is_the_default_user(settings: Settings, model: Model) -> None:
    settings.AUTH_REQUIRED = False
    stranger = APIClient(headers={"Authorization": "Bearer sk-anything"})
    assert str(made(stranger).owner) == "default"


def test_with_open_access_a_real_key_is_still_its_owner(
    settings: Settings, api: APIClient, mira: User, model: Model
) -> None:
    settings.AUTH_REQUIRED = False
    assert made(api).owner == mira
