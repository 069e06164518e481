"""From a tracked repository to a model that jobs may use, also with the hub unplugged."""

from __future__ import annotations

import pytest

from downloader.hub import registering
from downloader.hub.models import Repo
from jobs import submission
from jobs.models import Job
from registry.models import Model
from tests.downloader.conftest import run_next
from tests.downloader.hub.conftest import NAME, mirror, sync
from tests.hubs import Hub, models

pytestmark = pytest.mark.django_db

CHECKPOINT = models.sdxl_checkpoint(size=500_000, seed=7)


@pytest.fixture
def tracked(hub: Hub, models_root: object, db: None) -> Repo:
    hub.huggingface.add("forge/one", {"one.safetensors": CHECKPOINT, "README.md": "# One\n"})
    repo, _ = registering.register("forge/one")
    assert sync(repo).status == "succeeded"
    return registering.get(repo.pk)


def install(repo: Repo, **params: object) -> Job:
    submission.submit("install", {"repo_id": str(repo.pk), **params}, None)
    return run_next()


def test_a_mirrored_repository_becomes_a_model_with_the_hub_unplugged(
    hub: Hub, tracked: Repo
) -> None:
    mirror(tracked)
    hub.unplug()
    job = install(tracked)
    assert job.status == "succeeded", job.error_message
    model = Model.objects.get()
    assert job.summary["model_id"] == str(model.pk)
    assert job.summary["bytes_received"] == 0
    assert (model.name, model.kind, model.installed) == ("one", "sdxl-checkpoint", True)
    assert (model.enabled, model.version) == (True, tracked.commit[:12])
    assert model.source_uri == f"hf:forge/one@{tracked.commit}"
    assert {file["trust"] for file in model.files_json} == {"verified"}


def test_one_file_is_installed_under_a_name_of_ones_own(hub: Hub, synced: Repo) -> None:
    mirror(synced)
    hub.unplug()
    job = install(synced, path="unet/model.safetensors", name="mine", version="v1", enable=False)
    assert job.status == "succeeded", job.error_message
    model = Model.objects.get()
    assert (model.name, model.version, model.enabled) == ("mine", "v1", False)
    assert [file["path"] for file in model.files_json] == ["unet/model.safetensors"]


def test_what_is_missing_is_fetched_when_its_source_answers(tracked: Repo) -> None:
    job = install(tracked)
    assert job.status == "succeeded", job.error_message
    assert job.summary["bytes_received"] >= CHECKPOINT.size


def test_what_is_missing_is_told_when_its_source_is_away(hub: Hub, tracked: Repo) -> None:
    hub.unplug()
    job = install(tracked)
    assert job.error_code == "provider_error"
    assert not Model.objects.exists()


def test_an_older_commit_is_installed_as_long_as_it_is_known(hub: Hub, tracked: Repo) -> None:
    mirror(tracked)
    hub.huggingface["forge/one"].commit({"README.md": "# Nothing is left\n"})
    sync(tracked)
    assert registering.get(tracked.pk).commit != tracked.commit
    assert install(tracked, commit=tracked.commit).status == "succeeded"
    assert Model.objects.get().version == tracked.commit[:12]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"path": "nothing.safetensors"}, "nothing.safetensors"),
        ({"commit": "0" * 40}, "000000"),
    ],
)
def test_what_is_not_known_fails_with_its_name(
    tracked: Repo, params: dict[str, str], told: str
) -> None:
    job = install(tracked, **params)
    assert (job.status, job.error_code) == ("failed", "invalid_input")
    assert told in job.error_message


def test_a_repository_that_was_never_synced_has_nothing_to_install(repo: Repo) -> None:
    job = install(repo)
    assert (job.status, job.error_code) == ("failed", "invalid_input")
    assert "sync" in job.error_message
    assert NAME in job.error_message
