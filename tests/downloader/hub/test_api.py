"""Tracked repositories over HTTP: who may do what, refusals, pages and repeated requests."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from downloader.hub import registering, selecting
from downloader.hub.models import Repo, RepoFile
from dreamforge_site.accounts.models import User
from jobs import lifecycle
from jobs.api.answers import HANDOFF
from jobs.models import Job
from tests.callers import client_of
from tests.downloader.conftest import run_next
from tests.downloader.hub.conftest import FILES, NAME, mirror, sync
from tests.hubs import Hub, faults
from tests.registry.conftest import a_model

pytestmark = pytest.mark.django_db
WHERE = "author=forge&repo=sketch"
UNKNOWN = uuid.UUID(int=7)


@pytest.fixture(autouse=True)
def nothing_kept(signing_in_is_needed: None) -> None:
    """Of what a hub has answered before."""
    cache.clear()


@pytest.fixture
def api(operator: User) -> APIClient:
    return client_of(operator)


@pytest.fixture
def visitor(db: None) -> APIClient:
    return client_of(User.objects.create_user("visitor"))


def post(api: APIClient, address: str, body: Any, key: str | None = None) -> Any:
    return api.post(address, body, format="json", headers={"Idempotency-Key": key} if key else {})


def ids_of(repo: Repo, *paths: str) -> list[str]:
    rows = RepoFile.objects.filter(snapshot=repo.snapshot, path__in=paths)
    return [str(row.pk) for row in rows]


def named(answer: Any) -> list[str]:
    return [file["path"] for file in answer.json()["files"]]


@pytest.mark.parametrize(
    "address",
    ["hf/refs?repo=x", "hf/tree?repo=x", "hf/file?repo=x&path=y", "hf/repo?repo=x", "hub/models"],
)
def test_reading_needs_a_login(db: None, address: str) -> None:
    assert APIClient().get(f"/v1/{address}").status_code == 401


def test_who_is_signed_in_may_read_and_start_nothing(visitor: APIClient, synced: Repo) -> None:
    address = f"/v1/hub/models/{synced.pk}"
    assert visitor.get(address).status_code == 200
    assert visitor.get(f"{address}/files").status_code == 200
    assert visitor.get(f"/v1/hf/tree?{WHERE}").status_code == 200
    refused = [
        post(visitor, "/v1/hub/register", {"source_repo_id": "a/b"}),
        post(visitor, "/v1/hub/sync", {"repo_id": str(synced.pk)}),
        post(visitor, "/v1/hub/download", {"artifact_ids": ids_of(synced, "config.json")}),
        post(visitor, "/v1/downloads", {"author": "other", "repo": "one"}),
        post(visitor, f"{address}/install", {}),
        visitor.patch(address, {"auto_sync": True}, format="json"),
        visitor.delete(address),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert Repo.objects.count() == 1


def test_a_key_makes_one_job_and_gets_its_first_answer_again(api: APIClient, synced: Repo) -> None:
    body = {"artifact_ids": ids_of(synced, "unet/model.safetensors")}
    first = post(api, "/v1/hub/download", body, "one")
    run_next()
    again = post(api, "/v1/hub/download", body, "one")
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")
    assert post(api, "/v1/hub/download", body, "two").json()["code"] == "already_downloaded"
    assert Job.objects.filter(type="mirror").count() == 1


def test_what_cannot_be_registered_is_named(api: APIClient) -> None:
    answer = post(api, "/v1/hub/register", {"source_repo_id": "civitai:12"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    body = {"source_repo_id": NAME, "vendor": "forge", "name": "other"}
    answer = post(api, "/v1/hub/register", body)
    assert list(answer.json()["details"]["fields"]) == ["name"]
    assert not Repo.objects.exists()


def test_work_on_what_is_not_there_is_not_found(api: APIClient, repo: Repo) -> None:
    assert post(api, "/v1/hub/sync", {"repo_id": str(UNKNOWN)}).status_code == 404
    assert post(api, "/v1/hub/sync", {"repo_id": "no/body"}).status_code == 404
    assert api.get(f"/v1/hub/models/{UNKNOWN}").status_code == 404
    assert api.get(f"/v1/hub/models/{UNKNOWN}/files").status_code == 404
    assert post(api, f"/v1/hub/models/{UNKNOWN}/install", {}).status_code == 404
    unknown = post(api, "/v1/hub/download", {"artifact_ids": [str(UNKNOWN)]})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_input")


def test_a_repository_may_be_synced_by_its_name(api: APIClient, repo: Repo) -> None:
    assert post(api, "/v1/hub/sync", {"repo_id": NAME}).status_code == 202
    assert run_next().params["repo_id"] == str(repo.pk)


def test_the_list_is_filtered(api: APIClient, synced: Repo) -> None:
    registering.register("other/thing", "v2", auto_sync=True)

    def found(query: str) -> list[str]:
        models = api.get(f"/v1/hub/models?{query}").json()["models"]
        return [model["repo"] for model in models]

    assert found("") == ["thing", "sketch"]
    assert found("author=forge") == found("status=synced") == found("q=sket") == ["sketch"]
    assert found("repo=thing") == found("revision=v2") == ["thing"]
    assert found("downloaded=true") == []
    assert api.get("/v1/hub/models?auther=x").status_code == 422


def test_files_come_in_pages_and_are_filtered(api: APIClient, synced: Repo) -> None:
    address = f"/v1/hub/models/{synced.pk}/files"
    first = api.get(f"{address}?limit=4")
    cursor = first.json()["next_cursor"]
    assert named(first) + named(api.get(f"{address}?limit=4&cursor={cursor}")) == sorted(FILES)
    assert 'rel="next"' in first["Link"]
    assert named(api.get(f"{address}?type=model&path=unet/")) == ["unet/model.safetensors"]
    assert named(api.get(f"{address}?status=done&q=config")) == ["config.json", "unet/config.json"]


def test_files_of_an_older_commit_can_still_be_listed(
    api: APIClient, hub: Hub, synced: Repo
) -> None:
    hub.huggingface[NAME].commit({"only.json": "{}"})
    sync(synced)
    address = f"/v1/hub/models/{synced.pk}/files"
    assert named(api.get(address)) == sorted([*FILES, "only.json"])
    assert named(api.get(f"{address}?commit={synced.commit}")) == sorted(FILES)
    assert api.get(f"{address}?commit={'0' * 40}").status_code == 422


def test_a_page_of_files_costs_the_same_queries_in_a_large_repository(
    api: APIClient, synced: Repo
) -> None:
    address = f"/v1/hub/models/{synced.pk}/files?limit=200"
    api.get(address)  # the first request of a key also notes its use
    with CaptureQueriesContext(connection) as small:
        api.get(address)
    more = [RepoFile(snapshot=synced.snapshot, path=f"z/{n}.json") for n in range(1000)]
    RepoFile.objects.bulk_create(more)
    with CaptureQueriesContext(connection) as large:
        assert len(api.get(address).json()["files"]) == 200
    assert len(large) == len(small)


def test_a_repository_is_changed_and_that_is_on_record(api: APIClient, repo: Repo) -> None:
    answer = api.patch(f"/v1/hub/models/{repo.pk}", {"auto_sync": True}, format="json")
    assert answer.json()["auto_sync"] is True
    assert "auto_sync" in LogEntry.objects.get().change_message


def test_forgetting_leaves_the_files_unless_asked(
    api: APIClient, synced: Repo, models_root: Any
) -> None:
    mirror(synced)
    address, shown = f"/v1/hub/models/{synced.pk}", models_root / "forge/sketch/main"
    look = api.delete(f"{address}?files=true&dry_run=true").json()
    assert (look["forgotten"], look["freed_bytes"] > 0) == (False, True)
    assert api.delete(address).json() == {"forgotten": True, "freed_bytes": 0, "kept_bytes": 0}
    assert shown.exists()
    assert api.get(address).status_code == 404


def test_forgetting_with_the_files_frees_what_nothing_else_uses(
    api: APIClient, synced: Repo, models_root: Any
) -> None:
    mirror(synced)
    gone = api.delete(f"/v1/hub/models/{synced.pk}?files=true").json()
    assert (gone["forgotten"], gone["freed_bytes"] > 0) == (True, True)
    assert not (models_root / "forge/sketch/main").exists()
    assert not Repo.objects.exists()


def test_a_repository_that_a_job_works_on_is_not_forgotten(api: APIClient, repo: Repo) -> None:
    post(api, "/v1/hub/sync", {"repo_id": str(repo.pk)})
    assert lifecycle.start(Job.objects.get().pk, "a worker")
    answer = api.delete(f"/v1/hub/models/{repo.pk}")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert Repo.objects.exists()


def test_installing_is_refused_at_the_door_or_becomes_a_model(
    api: APIClient, hub: Hub, repo: Repo
) -> None:
    address = f"/v1/hub/models/{repo.pk}/install"
    assert post(api, address, {}).json()["code"] == "invalid_state"
    sync(repo)
    assert post(api, address, {"path": "no.safetensors"}).status_code == 422
    started = post(api, address, {"path": "unet/model.safetensors", "name": "mine"})
    assert started.status_code == 202
    run_next()
    shown = api.get(f"/v1/hub/jobs/{started.json()['job_id']}").json()
    assert (shown["kind"], shown["status"]) == ("install", "succeeded")
    assert api.get(f"/v1/models/{shown['model_id']}").json()["name"] == "mine"
    jobs = api.get("/v1/hub/jobs?kind=install").json()["jobs"]
    assert [job["id"] for job in jobs] == [started.json()["job_id"]]


def test_the_jobs_of_the_hub_are_only_listed_there(api: APIClient) -> None:
    assert post(api, "/v1/hub/jobs", {}).status_code == 405


def test_a_path_that_came_after_the_last_sync_is_downloaded(
    api: APIClient, hub: Hub, synced: Repo
) -> None:
    hub.huggingface[NAME].commit({**FILES, "new.json": "{}"})
    body = {"author": "forge", "repo": "sketch", "selection": [{"path": "new.json"}]}
    assert post(api, "/v1/downloads", body).status_code == 202
    assert run_next().status == "succeeded"


@pytest.mark.parametrize(
    "query",
    [
        "author=..&repo=x",
        "author=a&repo=x/y",
        "author=a&repo=x%23y",
        "author=a",
        "repo=x&revision=a..b",
    ],
)
def test_names_that_cannot_be_are_refused(api: APIClient, models_root: Any, query: str) -> None:
    assert api.get(f"/v1/hf/tree?{query}").status_code == 422


def test_a_path_that_climbs_is_a_name_like_any_other(api: APIClient, upstream: str) -> None:
    assert api.get(f"/v1/hf/tree?{WHERE}&path=../../etc").status_code == 404
    assert api.get(f"/v1/hf/file?{WHERE}&path=../../etc/passwd").status_code == 404


def test_the_hubs_refusals_have_the_codes_of_the_contract(
    api: APIClient, hub: Hub, models_root: Any
) -> None:
    hub.huggingface.add("forge/gated", {"a.json": "{}"}, gated="auto")
    hub.huggingface.add("forge/open", {"a.json": "{}"})
    gated = api.get("/v1/hf/file?author=forge&repo=gated&path=a.json")
    assert (gated.status_code, gated.json()["code"]) == (403, "upstream_gated")
    missing = api.get("/v1/hf/file?author=forge&repo=open&path=b.json")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    busy = hub.faults.add(faults.TooManyRequests(seconds=90), path="*open*")
    throttled = api.get("/v1/hf/refs?author=forge&repo=open")
    assert (throttled.status_code, throttled["Retry-After"]) == (429, "90")
    hub.faults.remove(busy)
    bad = api.get("/v1/hf/tree?author=forge&repo=open&cursor=made-up")
    assert (bad.status_code, bad.json()["code"]) == (400, "malformed_request")
    hub.unplug()
    away = api.get("/v1/hf/refs?author=forge&repo=open")
    assert (away.status_code, away.json()["code"]) == (502, "upstream_error")


@pytest.mark.django_db(transaction=True)
def test_what_is_asked_for_is_checked_outside_of_a_transaction(
    api: APIClient, synced: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite one would keep every worker from writing, for as long as the check takes."""
    held: list[bool] = []
    real = selecting.select

    def select(*given: Any) -> list[str]:
        held.append(connection.in_atomic_block)
        return real(*given)

    monkeypatch.setattr(selecting, "select", select)
    made = post(api, "/v1/downloads", {"author": "forge", "repo": "sketch"}, key="one")
    assert (made.status_code, held) == (202, [False])


def test_a_granted_verification_is_answered_again_when_its_model_has_gone(api: APIClient) -> None:
    model = a_model("gone")
    body = {"model_id": str(model.pk)}
    first = post(api, "/v1/models:verify", body, key="one")
    model.delete()
    again = post(api, "/v1/models:verify", body, key="one")
    other = post(api, "/v1/models:verify", body, key="two")
    assert (first.status_code, again.json()) == (202, first.json())
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/v1/hub/sync", {"repo_id": "{repo}"}),
        ("/v1/downloads", {"author": "forge", "repo": "sketch"}),
        ("/v1/hub/scan", {}),
        ("/v1/hub/models/{repo}/rescan", {}),
        ("/v1/hub/models/{repo}/verify", {}),
        ("/v1/hub/models/{repo}/check", {}),
    ],
)
def test_whoever_starts_work_may_wait_for_its_end(
    api: APIClient, synced: Repo, address: str, body: dict[str, Any]
) -> None:
    named = {
        name: value.format(repo=synced.pk) if isinstance(value, str) else value
        for name, value in body.items()
    }
    made = post(api, f"{address.format(repo=synced.pk)}?wait=30", named)
    assert made.status_code == 202
    verb, _, ticket = made.headers[HANDOFF].partition(" ")
    job_id = made.headers["Location"].rpartition("/")[2]
    told = {"job_id": job_id, "seconds": 30.0, "path": f"/v1/downloads/{job_id}", "wrap": ""}
    assert (verb, json.loads(ticket)) == ("wait", told)
    assert api.get(told["path"]).status_code == 200
