"""Each download leaves a file of lines beside the store."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from downloader import logfiles, upkeep
from downloader.logfiles import MOST_BYTES, LogFile
from tests.downloader.conftest import downloaded
from tests.hubs import Hub, faults

ID = uuid.UUID("6d4be3a1-0f5c-4d1c-8d5e-0e1a6a7c9b20")


def lines(root: Path, job_id: uuid.UUID = ID) -> list[dict[str, Any]]:
    text = (root / ".logs" / f"{job_id}.log").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.django_db
def test_a_download_tells_what_it_fetched(checkpoint: str, models_root: Path) -> None:
    job = downloaded(checkpoint)
    told = lines(models_root, job.pk)
    assert told[0]["code"] == "download.begin"
    assert told[0]["source_uri"].startswith("hf:forge/xl@")
    done = {entry["message"] for entry in told if entry["code"] == "file.done"}
    assert done == {"xl.safetensors", "README.md"}


@pytest.mark.django_db
def test_what_went_wrong_is_in_it_and_no_token(
    hub: Hub, checkpoint: str, models_root: Path, settings: Settings
) -> None:
    token = hub.huggingface.accounts.add("hf_" + "s3cret" * 6, "mira")
    settings.DOWNLOAD_SOURCE_SETTINGS["hf"]["token"] = token
    hub.faults.add(faults.Reset(at=1000), path="*xl.safetensors", times=1)
    job = downloaded(checkpoint)
    assert job.status == "succeeded", job.error_message
    assert "download.retry" in {entry["code"] for entry in lines(models_root, job.pk)}
    assert "s3cret" not in json.dumps(lines(models_root, job.pk))


@pytest.mark.pure
def test_a_file_never_grows_beyond_its_limit(tmp_path: Path) -> None:
    file = LogFile(tmp_path, ID)
    for _ in range(200):
        file.write("download.retry", "x" * 10_000)
    LogFile(tmp_path, ID).write("download.begin", "again")
    assert (tmp_path / ".logs" / f"{ID}.log").stat().st_size <= MOST_BYTES
    assert lines(tmp_path)[-1]["code"] == "log.full"


@pytest.mark.pure
def test_a_disk_that_takes_no_line_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / ".logs").write_text("in the way")
    LogFile(tmp_path, ID).write("download.begin", "x")
    assert (tmp_path / ".logs").read_text() == "in the way"


@pytest.mark.pure
def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    (tmp_path / ".logs").mkdir()
    (tmp_path / ".logs" / f"{ID}.log").symlink_to(other)
    LogFile(tmp_path, ID).write("download.begin", "x")
    assert other.read_text() == "theirs"


@pytest.mark.pure
def test_old_files_go(tmp_path: Path) -> None:
    LogFile(tmp_path, ID).write("download.begin", "x")
    assert logfiles.tidy(tmp_path) == 0
    os.utime(tmp_path / ".logs" / f"{ID}.log", (1, 1))
    assert logfiles.tidy(tmp_path) == 1
    assert logfiles.tidy(tmp_path / "absent") == 0


@pytest.mark.django_db
def test_housekeeping_tidies_the_logs(models_root: Path) -> None:
    LogFile(models_root, ID).write("download.begin", "x")
    os.utime(models_root / ".logs" / f"{ID}.log", (1, 1))
    assert upkeep.collect()["logs"] == 1
