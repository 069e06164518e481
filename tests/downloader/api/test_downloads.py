"""Downloads over HTTP: who may start them, what is shown, stopping and retrying."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.models import Job
from registry.models import Model
from tests.callers import client_of
from tests.downloader.conftest import downloaded, run_next
from tests.hubs import Hub

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]


@pytest.fixture
def api(operator: User) -> APIClient:
    return client_of(operator)


@pytest.fixture
def viewer(db: None) -> User:
    return User.objects.create_user("viewer", is_staff=True)


def start(api: APIClient, ref: str, **more: Any) -> Any:
    headers = more.pop("headers", {})
    body = {"ref": ref, **more}
    return api.post("/v1/models:download", body, format="json", headers=headers)


def test_a_download_is_started_and_answered_at_once(api: APIClient, checkpoint: str) -> None:
    answer = start(api, checkpoint, name="forge")
    assert answer.status_code == 202
    job = Job.objects.get()
    assert answer.json() == {"download_id": str(job.pk), "status": "queued"}
    assert answer["Location"] == f"/v1/downloads/{job.pk}"
    assert job.params == {"ref": checkpoint, "name": "forge", "enable": True, "force": False}


def test_the_same_key_starts_one_download(api: APIClient, checkpoint: str) -> None:
    first = start(api, checkpoint, headers={"Idempotency-Key": "one"})
    again = start(api, checkpoint, headers={"Idempotency-Key": "one"})
    other = start(api, checkpoint, name="x", headers={"Idempotency-Key": "one"})
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert other.status_code == 409
    assert Job.objects.count() == 1


def test_a_bad_reference_names_the_field_and_the_grammar(api: APIClient, models_root: None) -> None:
    answer = start(api, "hf:")
    assert answer.status_code == 422
    assert "civitai:<" in answer.json()["details"]["fields"]["ref"][0]


@pytest.mark.parametrize(
    "address", ["{hub}/forge/xl?token=s3cret", "https://mira:s3cret@huggingface.co/forge/xl"]
)
def test_of_a_pasted_address_no_secret_is_kept(
    api: APIClient, hub: Hub, checkpoint: str, address: str
) -> None:
    start(api, address.format(hub=hub.endpoint))
    assert Job.objects.get().params["ref"] == checkpoint


def test_running_anothers_download_again_needs_the_permission_too(
    api: APIClient, viewer: User, checkpoint: str
) -> None:
    id_ = start(api, checkpoint).json()["download_id"]
    api.post(f"/v1/downloads/{id_}/cancel")
    looking_on = client_of(viewer)
    edits = {"params": {"ref": "hf:forge/other"}}
    retried = looking_on.post(f"/v1/downloads/{id_}/retry")
    requeued = looking_on.post(f"/v1/jobs/{id_}/requeue", edits, format="json")
    assert (retried.status_code, requeued.status_code) == (403, 403)
    assert Job.objects.count() == 1


def test_an_unknown_field_is_refused(api: APIClient, checkpoint: str) -> None:
    answer = start(api, checkpoint, token="secret")
    assert answer.status_code == 422
    assert "token" in answer.json()["details"]["fields"]


def test_starting_needs_the_permission_and_the_permission_is_enough(
    mira: User, checkpoint: str
) -> None:
    assert start(client_of(mira), checkpoint).status_code == 403
    mira.user_permissions.add(Permission.objects.get(codename="add_download"))
    assert start(client_of(User.objects.get(pk=mira.pk)), checkpoint).status_code == 202


def test_a_finished_download_shows_its_bytes_files_log_and_model(
    api: APIClient, operator: User, checkpoint: str
) -> None:
    job = downloaded(checkpoint, operator)
    shown = api.get(f"/v1/downloads/{job.pk}").json()
    assert shown["status"] == "succeeded"
    assert shown["progress_pct"] == 100.0
    assert shown["bytes_done"] == shown["bytes_total"] > 3_000_000
    assert shown["files"] == {"pending": 0, "downloading": 0, "done": 2, "failed": 0}
    assert shown["model_id"] == str(Model.objects.get().pk)
    assert shown["log"][0]["code"] == "job.queued"
    assert shown["log"][-1]["code"] == "job.finish"


def test_a_waiting_download_has_no_bytes_yet(api: APIClient, checkpoint: str) -> None:
    start(api, checkpoint)
    shown = api.get("/v1/downloads").json()["downloads"][0]
    assert (shown["status"], shown["bytes_done"], shown["bytes_total"]) == ("queued", 0, None)


def test_what_has_no_bytes_is_shown_too(api: APIClient, checkpoint: str) -> None:
    waiting = start(api, checkpoint).json()["download_id"]
    verification = api.post("/v1/models:verify", {}, format="json").json()["download_id"]
    shown = [api.get(f"/v1/downloads/{id_}") for id_ in (waiting, verification)]
    assert [answer.status_code for answer in shown] == [200, 200]
    assert [answer.json()["kind"] for answer in shown] == ["download", "verify"]
    assert {sum(answer.json()["files"].values()) for answer in shown} == {0}


@pytest.mark.parametrize("path", ["/v1/models:verify", "/v1/jobs"])
def test_a_model_that_is_none_is_not_verified(api: APIClient, path: str) -> None:
    kind = {"type": "verify"} if path == "/v1/jobs" else {}
    wanted = "00000000-0000-4000-8000-000000000000"
    answer = api.post(path, {**kind, "model_id": wanted}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["details"] == {"fields": {"model_id": [f"There is no model {wanted}."]}}
    assert not Job.objects.exists()


def test_the_files_of_a_download_are_listed_page_by_page(
    api: APIClient, operator: User, checkpoint: str
) -> None:
    job = downloaded(checkpoint, operator)
    first = api.get(f"/v1/downloads/{job.pk}/files", {"limit": 1}).json()
    assert [file["path"] for file in first["files"]] == ["README.md"]
    more = {"limit": 1, "cursor": first["next_cursor"]}
    second = api.get(f"/v1/downloads/{job.pk}/files", more).json()
    assert [file["path"] for file in second["files"]] == ["xl.safetensors"]
    assert second["next_cursor"] is None


def test_somebody_elses_download_is_not_there(mira: User, operator: User, checkpoint: str) -> None:
    job = submission.submit("download", {"ref": checkpoint}, operator)
    theirs = client_of(mira)
    assert theirs.get(f"/v1/downloads/{job.pk}").status_code == 404
    assert theirs.get(f"/v1/downloads/{job.pk}/files").status_code == 404
    assert theirs.get(f"/v1/downloads/{job.pk}/stream").status_code == 404
    assert theirs.post(f"/v1/downloads/{job.pk}/cancel").status_code == 404
    assert theirs.get("/v1/downloads").json()["downloads"] == []


def test_a_job_of_another_type_is_no_download(api: APIClient, operator: User) -> None:
    job = submission.submit("selftest", {}, operator)
    assert api.get(f"/v1/downloads/{job.pk}").status_code == 404
    assert api.get("/v1/downloads").json()["downloads"] == []


def test_a_waiting_download_is_canceled_at_once_and_only_once(
    api: APIClient, checkpoint: str
) -> None:
    id_ = start(api, checkpoint).json()["download_id"]
    canceled = api.post(f"/v1/downloads/{id_}/cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (202, "canceled")
    again = api.post(f"/v1/downloads/{id_}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_state")
    assert again.json()["correlation_id"] == id_


def test_a_canceled_download_is_retried_as_a_new_one(api: APIClient, checkpoint: str) -> None:
    id_ = start(api, checkpoint).json()["download_id"]
    api.post(f"/v1/downloads/{id_}/cancel")
    retried = api.post(f"/v1/downloads/{id_}/retry")
    assert retried.status_code == 202
    assert retried.json()["download_id"] != id_
    assert run_next().status == "succeeded"


def test_a_list_is_filtered_and_costs_one_look_at_the_downloads(
    api: APIClient, operator: User, checkpoint: str
) -> None:
    for _ in range(3):
        submission.submit("download", {"ref": checkpoint}, operator)
    api.get("/v1/downloads")
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert len(api.get("/v1/downloads", {"status": "queued"}).json()["downloads"]) == 3
    for _ in range(5):
        submission.submit("download", {"ref": checkpoint}, operator)
    with CaptureQueriesContext(connection) as many:
        assert len(api.get("/v1/downloads", {"kind": "download"}).json()["downloads"]) == 8
    assert len(many) == len(few)


def test_removing_a_model_tells_what_it_frees_before_it_does(
    api: APIClient, operator: User, checkpoint: str
) -> None:
    downloaded(checkpoint, operator)
    model = Model.objects.get()
    asked = api.post(f"/v1/models/{model.pk}/remove", {"dry_run": True}, format="json").json()
    assert asked == {"removed": False, "freed_bytes": model.size_bytes, "kept_bytes": 0}
    assert model.folder.exists()
    done = api.post(f"/v1/models/{model.pk}/remove", {}, format="json").json()
    assert done == {**asked, "removed": True}
    assert not model.folder.exists()
    assert not Model.objects.exists()


def test_removing_keeps_the_bytes_another_model_uses(
    api: APIClient, operator: User, checkpoint: str
) -> None:
    downloaded(checkpoint, operator, name="one")
    downloaded(checkpoint, operator, name="two")
    one, two = Model.objects.get(name="one"), Model.objects.get(name="two")
    done = api.post(f"/v1/models/{one.pk}/remove", {}, format="json").json()
    assert (done["freed_bytes"], done["kept_bytes"]) == (0, one.size_bytes)
    assert (two.folder / "xl.safetensors").stat().st_size > 3_000_000


def test_removing_needs_the_permission(mira: User, operator: User, checkpoint: str) -> None:
    downloaded(checkpoint, operator)
    model = Model.objects.get()
    answer = client_of(mira).post(f"/v1/models/{model.pk}/remove", {}, format="json")
    assert answer.status_code == 403
    assert model.folder.exists()
