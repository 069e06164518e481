"""Damaged bytes are found by reading, taken out of sight, and fetched again."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from downloader import configured
from downloader.hub import registering, scrubbing
from downloader.hub.models import Repo, RepoFile, Scanned
from downloader.hub.voices import PlainVoice
from downloader.library.damage import Paced
from downloader.library.watch import Control
from jobs.models import Job
from registry.models import Model
from tests.downloader.conftest import downloaded, run_next
from tests.downloader.hub.conftest import NAME, WEIGHTS, mirror
from tests.downloader.hub.disk import put, run, scan, states
from tests.hubs import Hub

pytestmark = pytest.mark.django_db

UNET = "unet/model.safetensors"


@pytest.fixture
def mirrored(synced: Repo) -> Repo:
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


def blob(path: str = UNET) -> Path:
    return configured.store().blob(RepoFile.objects.get(path=path, status="done").sha256)


def flip(path: Path) -> None:
    """One bit, in place, with nothing else changed."""
    found = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(found.st_size - 1)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    path.chmod(0o444)


def voice() -> PlainVoice:
    return PlainVoice(Control(), lambda _line: None)


def test_whole_files_are_read_and_noted(mirrored: Repo) -> None:
    RepoFile.objects.update(verified_at=None)
    job = run("hub_verify", repo_id=str(mirrored.pk))
    assert job.status == "succeeded", job.error_message
    assert job.summary["read"] == 5
    assert job.summary["damaged"] == []
    assert not RepoFile.objects.filter(status="done", verified_at=None).exists()


def test_a_damaged_file_fails_and_leaves_the_folder(mirrored: Repo, models_root: Path) -> None:
    damaged = blob()
    flip(damaged)
    job = run("hub_verify", repo_id=str(mirrored.pk))
    assert job.summary["files"] == [f"{mirrored}/{UNET}"]
    repo = registering.get(mirrored.pk)
    assert states(repo)[UNET] == ("failed", "mismatch")
    assert not repo.is_downloaded
    shown = models_root / NAME / "main"
    assert not (shown / UNET).exists()
    assert (shown / "vae/model.safetensors").exists()
    assert not damaged.exists()
    [suspect] = configured.store().quarantined().values()
    assert suspect
    assert suspect.path == UNET


def test_a_damaged_file_is_fetched_again_when_asked(mirrored: Repo, models_root: Path) -> None:
    flip(blob())
    job = run("hub_verify", repo_id=str(mirrored.pk), repair=True)
    assert job.status == "succeeded", job.error_message
    assert job.summary["repaired"] == 1
    assert states(registering.get(mirrored.pk))[UNET] == ("done", "verified")
    assert (models_root / NAME / "main" / UNET).read_bytes() == WEIGHTS.read()


def test_bytes_that_are_gone_are_told_of(mirrored: Repo) -> None:
    blob().unlink()
    job = run("hub_verify", repo_id=str(mirrored.pk))
    assert len(job.summary["missing"]) == 1
    assert states(registering.get(mirrored.pk))[UNET][0] == "pending"


def test_a_model_that_shows_damaged_bytes_is_disabled(checkpoint: str, db: None, hub: Hub) -> None:
    assert downloaded(checkpoint, enable=True).status == "succeeded"
    model = Model.objects.get()
    assert model.enabled
    weights = next(file for file in model.files if file.path.endswith(".safetensors"))
    flip(configured.store().blob(weights.sha256))
    report = scrubbing.scrub_store(configured.store(), voice(), 0)
    assert report.damaged == [weights.sha256]
    model.refresh_from_db()
    assert (model.enabled, model.trust) == (False, "mismatch")


def test_what_a_scan_found_cannot_be_repaired_and_is_kept_apart(
    db: None, models_root: Path
) -> None:
    put(models_root, {"acme/xl/v1/config.json": "{}", "acme/xl/v1/w.safetensors": WEIGHTS})
    scan()
    repo = Repo.objects.get()
    flip(blob("w.safetensors"))
    job = run("hub_verify", repo_id=str(repo.pk), repair=True)
    assert job.status == "succeeded", job.error_message
    assert states(repo)["w.safetensors"] == ("failed", "mismatch")
    [suspect] = configured.store().quarantined().values()
    assert suspect
    assert suspect.size == WEIGHTS.size


def test_a_scrub_reads_the_longest_unread_first(mirrored: Repo) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    RepoFile.objects.update(verified_at=long_ago)
    oldest = blob("config.json").name
    RepoFile.objects.filter(path="config.json").update(verified_at=long_ago - timedelta(days=1))
    store = configured.store()
    report = scrubbing.scrub_store(store, voice(), rate=1, budget_s=1)
    assert (report.read, report.damaged) == (1, [])
    assert [row.sha256 for row in Scanned.objects.filter(path__startswith="blobs/")] == [oldest]


def test_a_scrub_reads_nothing_twice_within_a_week(mirrored: Repo) -> None:
    RepoFile.objects.update(verified_at=None)
    store = configured.store()
    assert scrubbing.scrub_store(store, voice(), 0).read == 5
    assert scrubbing.scrub_store(store, voice(), 0).read == 0


def test_notes_of_blobs_that_are_gone_are_dropped(mirrored: Repo) -> None:
    RepoFile.objects.update(verified_at=None)
    store = configured.store()
    scrubbing.scrub_store(store, voice(), 0)
    blob().unlink()
    scrubbing.scrub_store(store, voice(), 0)
    assert Scanned.objects.filter(path__startswith="blobs/").count() == 4


def test_a_scrub_is_started_only_where_a_rate_is_set(db: None, settings: Settings) -> None:
    settings.SCRUB_RATE = 0
    assert scrubbing.start() == {"started": False}
    assert not Job.objects.exists()


def test_one_scrub_runs_at_a_time(mirrored: Repo, settings: Settings) -> None:
    settings.SCRUB_RATE = 1 << 30
    assert scrubbing.start()["started"]
    assert scrubbing.start() == {"started": False}
    job = run_next()
    assert (job.type, job.status) == ("scrub", "succeeded"), job.error_message
    assert scrubbing.start()["started"]


class Counted(Control):
    """Adds up how long it was asked to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def test_a_paced_reader_sleeps_as_long_as_the_rate_asks() -> None:
    inner = Counted()
    paced = Paced(inner, rate=1 << 20)
    for _ in range(3):
        paced.check()
    # Nobody really slept, so each block is due a second after the one before.
    assert 2.5 < inner.slept_s < 3.1
