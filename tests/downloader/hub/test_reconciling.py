"""Rows and the disk agree again after somebody changed one of them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from downloader import configured
from downloader.hub import reconciling, registering
from downloader.hub.models import Repo, RepoFile
from tests.downloader.hub.conftest import NAME, WEIGHTS, mirror
from tests.downloader.hub.disk import rescan, run, states

pytestmark = pytest.mark.django_db

UNET = "unet/model.safetensors"


@pytest.fixture
def mirrored(synced: Repo) -> Repo:
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


def blob(repo: Repo, path: str = UNET) -> Path:
    assert repo.snapshot
    return configured.store().blob(repo.snapshot.files.get(path=path).sha256)


def shown(root: Path, path: str = UNET) -> Path:
    return root / NAME / "main" / path


def test_nothing_is_to_be_done_where_all_is_well(mirrored: Repo) -> None:
    told = rescan(mirrored)
    assert (told["missing"], told["found"], told["relinked"]) == (0, 0, 0)


def test_a_file_that_is_gone_becomes_pending_and_leaves_the_folder(
    mirrored: Repo, models_root: Path
) -> None:
    blob(mirrored).unlink()
    shown(models_root).unlink()
    told = rescan(mirrored)
    assert told["missing_paths"] == [f"{mirrored.commit[:12]}/{UNET}"]
    repo = registering.get(mirrored.pk)
    assert states(repo)[UNET] == ("pending", "unverified")
    assert not repo.is_downloaded
    assert UNET not in (shown(models_root, ".dreamforge.json")).read_text()
    assert mirror(repo).summary["bytes_received"] == WEIGHTS.size


def test_a_blob_that_is_gone_is_made_again_of_the_link_that_is_left(
    mirrored: Repo, models_root: Path
) -> None:
    blob(mirrored).unlink()
    assert rescan(mirrored)["missing"] == 0
    assert blob(mirrored).samefile(shown(models_root))


def test_a_link_that_is_gone_is_put_back(mirrored: Repo, models_root: Path) -> None:
    shown(models_root).unlink()
    assert rescan(mirrored)["relinked_paths"] == [f"{mirrored.commit[:12]}/{UNET}"]
    assert blob(mirrored).samefile(shown(models_root))


def test_a_folder_that_is_gone_is_built_again_from_the_blobs(
    mirrored: Repo, models_root: Path
) -> None:
    shutil.rmtree(models_root / NAME)
    assert rescan(mirrored)["relinked"] == 5
    assert blob(mirrored).samefile(shown(models_root))
    assert shown(models_root, ".dreamforge.json").exists()


def test_bytes_that_came_another_way_are_found(mirrored: Repo, models_root: Path) -> None:
    RepoFile.objects.filter(path=UNET).update(status="pending", sha256="", trust="unverified")
    assert rescan(mirrored)["found_paths"] == [f"{mirrored.commit[:12]}/{UNET}"]
    repo = registering.get(mirrored.pk)
    assert states(repo)[UNET] == ("done", "verified")
    assert repo.is_downloaded


def test_marking_changes_rows_and_nothing_else(mirrored: Repo, models_root: Path) -> None:
    blob(mirrored).unlink()
    report = reconciling.mark_missing(mirrored, configured.store())
    assert report.missing == [f"{mirrored.commit[:12]}/{UNET}"]
    assert states(registering.get(mirrored.pk))[UNET][0] == "pending"
    assert shown(models_root).exists()
    assert not blob_of_weights().exists()


def blob_of_weights() -> Path:
    return configured.store().blob(hashlib.sha256(WEIGHTS.read()).hexdigest())


def test_a_repository_that_is_not_registered_fails_the_job(db: None, models_root: Path) -> None:
    job = run("scan", repo_id="6d4be3a1-0f5c-4d1c-8d5e-0e1a6a7c9b20")
    assert (job.status, job.error_code) == ("failed", "invalid_input")
