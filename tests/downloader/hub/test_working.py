"""Which job works on a tracked repository, as its list and its page tell it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from downloader.hub import registering, working
from downloader.hub.models import Repo
from dreamforge_site.accounts.models import User
from jobs import lifecycle, submission
from jobs.models import Job
from tests.callers import client_of
from tests.downloader.conftest import run_next
from tests.downloader.hub.test_api import ids_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def signing_in_is_needed(settings: Settings) -> None:
    settings.AUTH_REQUIRED = True


@pytest.fixture
def api(operator: User) -> APIClient:
    return client_of(operator)


def start(type_name: str, **params: Any) -> Job:
    return submission.submit(type_name, params, None)


def work(api: APIClient, repo: Repo) -> Any:
    """As the page says it, which the list must say too."""
    told = api.get(f"/v1/hub/models/{repo.pk}").json()["work"]
    listed = api.get("/v1/hub/models").json()["models"]
    assert [one["work"] for one in listed if one["id"] == str(repo.pk)] == [told]
    return told


def test_a_repository_at_rest_has_no_work(api: APIClient, synced: Repo) -> None:
    assert work(api, synced) is None


def test_a_job_shows_from_the_queue_to_its_end(api: APIClient, repo: Repo) -> None:
    job = start("sync", repo_id=str(repo.pk))
    told = {"job_id": str(job.pk), "kind": "sync", "status": "queued", "progress": 0.0}
    assert work(api, repo) == told
    assert lifecycle.start(job.pk, "a worker")
    assert work(api, repo) == {**told, "status": "running"}
    Job.objects.update(status="queued", lease_holder="", started_at=None)
    assert run_next().status == "succeeded"
    assert work(api, repo) is None


def test_a_job_of_chosen_files_works_on_their_repository(api: APIClient, synced: Repo) -> None:
    start("mirror", artifact_ids=ids_of(synced, "config.json"))
    other, _ = registering.register("other/thing")
    assert work(api, synced)["kind"] == "mirror"
    assert work(api, other) is None


def test_a_look_at_one_is_its_work_and_a_look_at_all_is_nobodys(api: APIClient, repo: Repo) -> None:
    other, _ = registering.register("other/thing")
    start("watch", repo_ids=[str(repo.pk), str(other.pk)])
    start("watch")
    assert work(api, repo) is None
    start("watch", repo_ids=[str(repo.pk)])
    assert work(api, repo)["kind"] == "watch"
    assert work(api, other) is None


def test_what_runs_goes_before_what_waits(api: APIClient, repo: Repo) -> None:
    start("sync", repo_id=str(repo.pk))
    running = start("mirror", repo_id=str(repo.pk))
    assert lifecycle.start(running.pk, "a worker")
    assert work(api, repo)["kind"] == "mirror"


def test_what_runs_is_found_among_more_jobs_than_are_read(
    api: APIClient, synced: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "MOST_BY_FILES", 1)
    files = ids_of(synced, "config.json")
    first, _ = (start("mirror", artifact_ids=files) for _ in range(2))
    assert lifecycle.start(first.pk, "a worker")
    assert work(api, synced)["job_id"] == str(first.pk)


def test_anothers_job_is_told_without_its_id(repo: Repo) -> None:
    start("sync", repo_id=str(repo.pk))
    visitor = client_of(User.objects.create_user("visitor"))
    assert work(visitor, repo) == {
        "job_id": None,
        "kind": "sync",
        "status": "queued",
        "progress": 0.0,
    }


def test_a_page_of_the_list_costs_the_same_however_much_works(api: APIClient, repo: Repo) -> None:
    start("sync", repo_id=str(repo.pk))
    api.get("/v1/hub/models")  # the first request of a key also notes its use
    with CaptureQueriesContext(connection) as few:
        api.get("/v1/hub/models")
    for number in range(20):
        start("sync", repo_id=str(registering.register(f"other/thing-{number}")[0].pk))
    with CaptureQueriesContext(connection) as many:
        listed = api.get("/v1/hub/models").json()["models"]
    assert [one["work"]["kind"] for one in listed] == ["sync"] * 21
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("forge/sketch", ["sketch"]),
        ("FORGE/sk", ["sketch"]),
        ("orge/", ["sketch"]),
        ("/thing", ["thing"]),
        ("forge/thing", []),
    ],
)
def test_words_with_a_slash_are_an_author_and_a_name(
    api: APIClient, repo: Repo, words: str, expected: list[str]
) -> None:
    registering.register("other/thing")
    listed = api.get("/v1/hub/models", {"q": words}).json()["models"]
    assert [one["repo"] for one in listed] == expected


def test_a_download_names_the_repository_that_it_works_on(api: APIClient, repo: Repo) -> None:
    job = start("sync", repo_id=str(repo.pk))
    assert api.get(f"/v1/downloads/{job.pk}").json()["repo_id"] == str(repo.pk)
    other = start("scan")
    assert api.get(f"/v1/downloads/{other.pk}").json()["repo_id"] is None
