"""Removing frees what nothing else needs, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry

from downloader import configured
from downloader.hub import registering, removal
from downloader.hub.models import Repo
from dreamforge_site.accounts.models import User
from tests.downloader.hub.conftest import NAME, OTHER_WEIGHTS, WEIGHTS, mirror
from tests.downloader.hub.disk import put, scan, states
from tests.hubs import Hub, models

pytestmark = pytest.mark.django_db

SHARED = models.sdxl_checkpoint(size=900_000, seed=5)
FIRST, SECOND = models.vae(size=100_000, seed=6), models.vae(size=100_000, seed=7)


def blob_bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in root.glob("blobs/sha256/*/*"))


@pytest.fixture
def two(hub: Hub, models_root: Path, db: None) -> tuple[Repo, Repo]:
    """Two revisions that share nine tenths of their bytes."""
    old = hub.huggingface.add("forge/pair", {"w.safetensors": SHARED, "vae.safetensors": FIRST})
    old.tag("v1")
    v1 = registering.register("forge/pair", "v1")
    assert mirror(v1[0]).status == "succeeded"
    hub.huggingface["forge/pair"].commit({"w.safetensors": SHARED, "vae.safetensors": SECOND})
    v2 = registering.register("forge/pair", "main")
    assert mirror(v2[0]).status == "succeeded"
    return registering.get(v1[0].pk), registering.get(v2[0].pk)


def test_two_revisions_use_the_disk_once_for_what_they_share(
    two: tuple[Repo, Repo], models_root: Path
) -> None:
    assert blob_bytes(models_root) == SHARED.size + FIRST.size + SECOND.size


def test_removing_one_of_them_frees_only_its_own(two: tuple[Repo, Repo], models_root: Path) -> None:
    told = removal.remove(two[0], dry_run=True)
    assert (told.removed, told.freed_bytes, told.kept_bytes) == (False, FIRST.size, SHARED.size)
    assert blob_bytes(models_root) == SHARED.size + FIRST.size + SECOND.size
    done = removal.remove(two[0])
    assert (done.removed, done.freed_bytes, done.kept_bytes) == (True, FIRST.size, SHARED.size)
    assert blob_bytes(models_root) == SHARED.size + SECOND.size
    assert {state for state, _ in states(registering.get(two[1].pk)).values()} == {"done"}
    assert removal.remove(two[1]).freed_bytes == SHARED.size + SECOND.size


def test_the_list_stays_so_that_it_can_be_downloaded_again(synced: Repo, models_root: Path) -> None:
    mirror(synced)
    done = removal.remove(registering.get(synced.pk))
    assert not done.forgotten
    repo = registering.get(synced.pk)
    assert {state for state, _ in states(repo).values()} == {"pending"}
    assert (repo.status, repo.is_downloaded) == ("synced", False)
    assert not (models_root / NAME).exists()
    assert mirror(repo).status == "succeeded"


def test_a_forgotten_repository_has_no_row(synced: Repo, operator: User) -> None:
    assert removal.remove(synced, forget=True, by=operator).forgotten
    assert not Repo.objects.exists()
    assert "removed" in LogEntry.objects.get().change_message


def test_what_only_a_scan_knew_is_forgotten_with_its_bytes(db: None, models_root: Path) -> None:
    put(models_root, {"acme/xl/v1/config.json": "{}", "acme/xl/v1/w.safetensors": WEIGHTS})
    scan()
    done = removal.remove(Repo.objects.get())
    assert (done.freed_bytes, done.forgotten) == (WEIGHTS.size + 2, True)
    assert not (models_root / "acme").exists()


def test_files_that_nobody_downloaded_stay(synced: Repo, models_root: Path) -> None:
    mirror(synced)
    mine = models_root / NAME / "main" / "unet" / "mine.bin"
    mine.write_bytes(b"mine")
    removal.remove(registering.get(synced.pk))
    assert mine.read_bytes() == b"mine"
    left = [path for path in (models_root / NAME).rglob("*") if path.is_file()]
    assert left == [mine]


def test_adopted_files_keep_the_names_they_had(db: None, models_root: Path) -> None:
    put(models_root, {"disk/a/b/xl/config.json": "{}", "disk/a/b/xl/w.safetensors": OTHER_WEIGHTS})
    scan()
    done = removal.remove(Repo.objects.get())
    assert done.freed_bytes == 0
    assert (models_root / "disk/a/b/xl/w.safetensors").read_bytes() == OTHER_WEIGHTS.read()


def test_removing_twice_frees_nothing_the_second_time(synced: Repo) -> None:
    mirror(synced)
    assert removal.remove(registering.get(synced.pk)).freed_bytes > 0
    assert removal.remove(registering.get(synced.pk)).freed_bytes == 0
    assert configured.store().known().by_blob == {}
