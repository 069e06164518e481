"""Full disks under the database and under images (D5); those under models are in
`test_processes`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs import submission
from jobs.models import Artifact, Job
from registry.models import Model
from tests import hubs
from tests.downloader.conftest import downloaded, run_next
from tests.downloader.test_processes import Shell
from tests.hubs import RemoteHub
from tests.jobs.generation.conftest import asked, pretending

__all__ = ["pretending"]  # a fixture of this module too
KIB = 1 << 10

pytestmark = pytest.mark.live


@pytest.mark.django_db
def test_images_that_find_no_room_are_stored_by_a_later_attempt(
    checkpoint: str, models_root: Path, settings: Settings, small_disk: Callable[[int], Path]
) -> None:
    downloaded(checkpoint)
    options = {"location": small_disk(4)}
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": backend, "OPTIONS": options},
    }
    params = {**asked(width=512, height=512), "model_id": str(Model.objects.get().pk)}
    job = submission.submit("generate", params, None)
    first = run_next("gpu")
    assert (first.status, first.error_code) == ("queued", "storage_error")
    small_disk(8192)
    Job.objects.filter(pk=job.pk).update(available_at=first.created_at)
    second = run_next("gpu")
    assert (second.status, second.attempts) == ("succeeded", 2)
    assert Artifact.objects.count() == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="SQLite finds only what root has mounted")
def test_a_database_that_finds_no_room_says_so_and_is_whole_when_there_is(
    small_disk: Callable[[int], Path],
) -> None:
    with hubs.process("tests.hubs.demo:fill") as hub:
        shell, database = _installed(small_disk, hub)
        filled = small_disk(database.stat().st_size // KIB + 64)
        code, _, err = shell.run("job_create", "selftest", "--param", "items=90")
        tries = 0
        while code == 0 and tries < 20:
            code, _, err = shell.run("job_create", "selftest", "--param", "items=90")
            tries += 1
        assert code != 0
        assert "Traceback" not in err
        assert "full" in err
        small_disk(64 * KIB)
        assert shell.run("job_create", "selftest")[0] == 0
    with closing(sqlite3.connect(filled / "data" / "dreamforge.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _installed(small_disk: Callable[[int], Path], hub: RemoteHub) -> tuple[Shell, Path]:
    place = small_disk(64 * KIB)
    shell = Shell(place / "data", hub)
    return shell, place / "data" / "dreamforge.sqlite3"
