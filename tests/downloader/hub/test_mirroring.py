"""Registering, syncing and downloading a repository, run as a worker runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from downloader.hub import registering
from downloader.hub.models import Repo
from jobs import submission
from tests.downloader.conftest import run_next
from tests.downloader.hub.conftest import FILES, NAME, WEIGHTS, mirror, sync
from tests.hubs import Hub

pytestmark = pytest.mark.django_db


def states(repo: Repo) -> dict[str, str]:
    assert repo.snapshot
    return dict(repo.snapshot.files.values_list("path", "status"))


def test_a_registered_repository_is_not_asked_about(hub: Hub, repo: Repo) -> None:
    assert (repo.full_name, repo.revision, repo.status) == (NAME, "main", "registered")
    assert len(hub.requests) == 0


def test_registering_twice_finds_the_same_row(repo: Repo) -> None:
    assert registering.register(NAME) == (repo, False)
    assert registering.register(f"hf:{NAME}@v2")[0] != repo


def test_a_sync_lists_the_files_as_their_source_has_them(synced: Repo) -> None:
    assert synced.snapshot
    assert synced.status == "synced"
    assert set(states(synced)) == set(FILES)
    weights = synced.snapshot.files.get(path="unet/model.safetensors")
    assert (weights.type, weights.format) == ("model", "safetensors")
    assert weights.size_bytes == WEIGHTS.size
    assert weights.digest.startswith("sha256:")
    assert synced.snapshot.files.get(path="config.json").type == "config"


def test_a_sync_brings_what_describes_the_repository_at_once(
    hub: Hub, synced: Repo, models_root: Path
) -> None:
    here = {path for path, status in states(synced).items() if status == "done"}
    assert here == {"README.md", "config.json", "unet/config.json"}
    assert hub.bytes_sent("*.safetensors") == 0
    shown = models_root / "forge" / "sketch" / "main"
    assert (shown / "config.json").read_text() == FILES["config.json"]


def test_a_file_that_the_policy_bars_is_listed_with_the_reason(synced: Repo) -> None:
    assert synced.snapshot
    assert "pickle" in synced.snapshot.files.get(path="old/weights.bin").barred


def test_a_whole_repository_is_downloaded_and_shown(synced: Repo, models_root: Path) -> None:
    job = mirror(synced)
    assert job.status == "succeeded", job.error_message
    repo = registering.get(synced.pk)
    assert repo.is_downloaded
    assert states(repo)["unet/model.safetensors"] == "done"
    shown = models_root / "forge" / "sketch" / "main"
    assert (shown / "unet/model.safetensors").stat().st_size == WEIGHTS.size
    assert not (shown / "old").exists()
    told = json.loads((shown / ".dreamforge.json").read_text())
    assert told["commit"] == repo.commit
    assert {entry["trust"] for entry in told["files_json"]} == {"verified"}


def test_a_folder_or_a_pattern_is_enough_to_choose(synced: Repo) -> None:
    assert mirror(synced, "unet/").summary["files"] == 2
    assert states(registering.get(synced.pk))["vae/model.safetensors"] == "pending"
    assert mirror(synced, "vae/*.safetensors").summary["files"] == 1


def test_what_is_shown_already_stays_when_more_of_the_commit_comes(
    synced: Repo, models_root: Path
) -> None:
    mirror(synced, "unet/")
    mirror(synced, "vae/")
    shown = models_root / "forge" / "sketch" / "main"
    assert (shown / "unet/model.safetensors").exists()
    assert (shown / "vae/model.safetensors").exists()


def test_a_file_by_a_name_that_is_not_there_fails_with_that_name(synced: Repo) -> None:
    job = mirror(synced, "unet/other.safetensors")
    assert (job.status, job.error_code) == ("failed", "invalid_input")
    assert "unet/other.safetensors" in job.error_message


def test_a_download_of_a_repository_that_nobody_synced_syncs_it_first(repo: Repo) -> None:
    job = mirror(repo, "unet/")
    assert job.status == "succeeded", job.error_message
    assert registering.get(repo.pk).status == "synced"


def test_a_moved_branch_is_noticed_and_the_old_tree_stays_until_its_successor_is_downloaded(
    hub: Hub, synced: Repo, models_root: Path
) -> None:
    mirror(synced)
    old = registering.get(synced.pk).commit
    changed = {**FILES, "vae/model.safetensors": WEIGHTS, "new.json": "{}"}
    hub.huggingface[NAME].commit(changed)
    sync(synced)
    repo = registering.get(synced.pk)
    assert repo.commit != old
    assert repo.snapshot
    assert repo.snapshot.changes["added_paths"] == ["new.json"]
    assert repo.snapshot.changes["changed_paths"] == ["vae/model.safetensors"]
    assert repo.snapshot.changes["bytes_to_fetch"] == len("{}")  # the other bytes are here
    home = models_root / "forge" / "sketch"
    assert json.loads((home / "main/.dreamforge.json").read_text())["commit"] == old
    mirror(repo)
    assert json.loads((home / "main/.dreamforge.json").read_text())["commit"] == repo.commit
    assert json.loads((home / old / ".dreamforge.json").read_text())["commit"] == old
    assert registering.get(repo.pk).snapshots.get(commit=old).folder == f"{NAME}/{old}"
    assert (home / old / "vae/model.safetensors").exists()
    assert (home / "main/unet/model.safetensors").exists()


def test_a_vanished_repository_is_alarmed_about_and_its_files_stay(
    hub: Hub, synced: Repo, models_root: Path
) -> None:
    hub.huggingface.remove(NAME)
    job = sync(synced)
    assert job.status == "failed"
    repo = registering.get(synced.pk)
    assert repo.gone_at is not None
    assert repo.status == "error"
    assert (models_root / "forge/sketch/main/config.json").exists()


def test_a_job_for_a_repository_that_was_forgotten_says_so(db: None, models_root: Path) -> None:
    repo_id = "c2b1e1c4-0000-4000-8000-000000000000"
    submission.submit("mirror", {"repo_id": repo_id, "fresh": True}, None)
    job = run_next()
    assert (job.status, job.error_code) == ("failed", "invalid_input")
    assert repo_id in job.error_message


def test_a_sync_of_what_can_be_no_revision_is_wrong_input(synced: Repo) -> None:
    job = sync(synced, revision="../..")
    assert (job.status, job.error_code) == ("failed", "invalid_input")
    assert "branch" in job.error_message
