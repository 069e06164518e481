"""What is missing is fetched first, where the operator allows it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from pytest_django import Settings

from downloader.hub import registering
from downloader.hub.models import Repo
from downloader.hub.serving import holdings, pulling
from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.models import Job
from tests.downloader.conftest import run_next
from tests.downloader.hub.conftest import NAME, WEIGHTS
from tests.downloader.hub.serving.conftest import Ask, asking
from tests.hubs import Hub

MODEL = "unet/model.safetensors"
RESOLVE = f"{NAME}/resolve/main"


def awaited(answer: Any) -> str:
    """The job that the client waits for."""
    kind, _, told = answer["X-Forge-Handoff"].partition(" ")
    assert kind == "pull"
    return str(json.loads(told)["job_id"])


def test_missing_file_is_fetched_by_one_job_for_all_who_ask(synced: Repo, fetcher: Ask) -> None:
    waiting = {awaited(fetcher(f"{RESOLVE}/{MODEL}")) for _ in range(3)}
    assert len(waiting) == 1
    job = run_next()
    assert (str(job.pk), job.status) == (*waiting, "succeeded")
    again = fetcher(f"{RESOLVE}/{MODEL}", X_Forge_Pulled=str(job.pk))
    assert again["X-Forge-Handoff"].startswith("file ")
    assert Job.objects.filter(type="mirror").count() == 1


def test_what_a_client_reads_is_no_line_of_the_admins_log(synced: Repo, fetcher: Ask) -> None:
    LogEntry.objects.all().delete()
    assert awaited(fetcher(f"{RESOLVE}/{MODEL}"))
    assert not LogEntry.objects.exists()


def test_head_of_a_missing_file_is_answered_from_what_was_published(
    synced: Repo, fetcher: Ask
) -> None:
    answer = fetcher(f"{RESOLVE}/{MODEL}", "head")
    assert answer["X-Linked-ETag"] == f'"{WEIGHTS.sha256}"'
    assert answer["Content-Length"] == str(WEIGHTS.size)
    assert not Job.objects.filter(type="mirror").exists()


def test_list_shows_what_could_be_fetched_and_nothing_barred(synced: Repo, fetcher: Ask) -> None:
    paths = [line["rfilename"] for line in fetcher(f"api/models/{NAME}").json()["siblings"]]
    assert MODEL in paths
    assert "old/weights.bin" not in paths


def test_unknown_repository_is_tracked_and_asked_for(hub: Hub, upstream: str, fetcher: Ask) -> None:
    job_id = awaited(fetcher(f"api/models/{NAME}"))
    assert awaited(fetcher(f"api/models/{NAME}/revision/main")) == job_id
    job = run_next()
    assert (str(job.pk), job.type, job.status) == (job_id, "sync", "succeeded")
    told = fetcher(f"api/models/{NAME}", X_Forge_Pulled=job_id).json()
    assert told["sha"] == hub.huggingface[NAME].branches["main"]


def test_file_of_an_unknown_repository_waits_for_its_list_and_then_for_its_bytes(
    upstream: str, fetcher: Ask
) -> None:
    first = awaited(fetcher(f"{RESOLVE}/{MODEL}"))
    run_next()
    second = awaited(fetcher(f"{RESOLVE}/{MODEL}", X_Forge_Pulled=first))
    assert run_next().type == "mirror"
    answer = fetcher(f"{RESOLVE}/{MODEL}", X_Forge_Pulled=second)
    assert answer["X-Forge-Handoff"].startswith("file ")


def test_repository_that_its_source_does_not_have_is_not_found(
    models_root: object, fetcher: Ask
) -> None:
    job_id = awaited(fetcher("api/models/forge/none"))
    assert run_next().status == "failed"
    answer = fetcher("api/models/forge/none", X_Forge_Pulled=job_id)
    assert (answer.status_code, answer["X-Error-Code"]) == (404, "RepoNotFound")
    assert "The source said" in answer.json()["error"]


def test_fetch_that_failed_is_told_and_not_tried_for_ever(
    hub: Hub, synced: Repo, fetcher: Ask
) -> None:
    hub.huggingface.remove(NAME)
    job_id = awaited(fetcher(f"{RESOLVE}/{MODEL}"))
    assert run_next().status == "failed"
    answer = fetcher(f"{RESOLVE}/{MODEL}", X_Forge_Pulled=job_id)
    assert answer.status_code == 502
    assert Job.objects.filter(type="mirror").count() == 1


def test_client_that_waited_too_short_is_asked_to_come_again(synced: Repo, fetcher: Ask) -> None:
    job_id = awaited(fetcher(f"{RESOLVE}/{MODEL}"))
    answer = fetcher(f"{RESOLVE}/{MODEL}", X_Forge_Pulled=job_id)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("scopes", "staff"), [(("read",), True), (("read", "models"), False)], ids=["key", "person"]
)
def test_who_may_not_download_is_told_what_is_here(
    synced: Repo, settings: Settings, scopes: tuple[str, ...], staff: bool
) -> None:
    settings.AUTH_REQUIRED = True
    settings.HUB_PULL_THROUGH = True
    make = User.objects.create_superuser if staff else User.objects.create_user
    answer = asking(make("somebody"), *scopes)(f"{RESOLVE}/{MODEL}")
    assert answer["X-Error-Code"] == "EntryNotFound"
    assert not Job.objects.filter(type="mirror").exists()


def test_nothing_is_fetched_as_long_as_nobody_switched_it_on(
    synced: Repo, fetcher: Ask, settings: Settings
) -> None:
    settings.HUB_PULL_THROUGH = False
    assert fetcher(f"{RESOLVE}/{MODEL}").status_code == 404
    assert fetcher("api/models/forge/none").status_code == 404
    assert not Job.objects.filter(status="queued").exists()


def test_header_of_another_repositorys_job_counts_for_nothing(
    hub: Hub, synced: Repo, fetcher: Ask
) -> None:
    other, _ = registering.register("forge/secret")
    submission.submit("mirror", {"repo_id": str(other.pk)}, None)
    failed = run_next()
    assert failed.error_message
    answer = fetcher(f"{RESOLVE}/{MODEL}", X_Forge_Pulled=str(failed.pk))
    assert awaited(answer) != str(failed.pk)


def test_session_of_a_browser_fetches_nothing(
    synced: Repo, operator: User, settings: Settings
) -> None:
    settings.HUB_PULL_THROUGH = True
    browser = Client()
    browser.force_login(operator)
    assert browser.get(f"/hf/{RESOLVE}/{MODEL}").status_code == 404
    assert browser.get(f"/hf/forge/none/resolve/main/{MODEL}").status_code == 404
    assert not Job.objects.filter(type="mirror").exists()
    assert Repo.objects.count() == 1


def test_file_that_came_between_the_look_and_the_asking_is_fetched_by_no_second_job(
    synced: Repo, operator: User
) -> None:
    on = holdings.shelf([synced], "main")
    assert on
    first = pulling.file(on, MODEL, operator)
    assert run_next().status == "succeeded"
    assert pulling.file(on, MODEL, operator) == first
    assert pulling.file(on, "vae/model.safetensors", operator) != first


def test_list_that_came_between_the_look_and_the_asking_is_fetched_by_no_second_job(
    upstream: str, operator: User
) -> None:
    first = pulling.repository(upstream, "main", operator)
    assert run_next().status == "succeeded"
    assert pulling.repository(upstream, "main", operator) == first


@pytest.mark.django_db(transaction=True)
def test_clients_at_one_moment_share_one_job(upstream: str, operator: User) -> None:
    together = threading.Barrier(8)

    def ask(_number: int) -> object:
        try:
            together.wait()
            return pulling.repository(upstream, "main", operator).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        asked = set(pool.map(ask, range(8)))
    assert asked == {Job.objects.get().pk}
