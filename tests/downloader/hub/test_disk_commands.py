"""hub_scan, hub_remove, hub_verify and hub_move, as they are typed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from downloader.hub import registering
from downloader.hub.models import Repo
from tests.downloader.hub.conftest import NAME, WEIGHTS, mirror
from tests.downloader.hub.disk import put
from tests.downloader.hub.test_scrubbing import blob, flip

pytestmark = pytest.mark.django_db


def call(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def told(*words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(call(*words, "--json"))
    return answer


def exit_code(*words: str) -> int:
    with pytest.raises(CommandError) as failure:
        call(*words)
    return int(failure.value.returncode)


@pytest.fixture
def scanned(db: None, models_root: Path) -> Path:
    put(models_root, {"acme/xl/config.json": "{}", "acme/xl/w.safetensors": WEIGHTS})
    assert told("hub_scan")["adopted"] == 2
    return models_root


@pytest.fixture
def mirrored(synced: Repo) -> Repo:
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


def test_a_scan_prints_the_repositories_that_joined(db: None, models_root: Path) -> None:
    put(models_root, {"acme/xl/config.json": "{}"})
    assert call("hub_scan", "acme") == "acme/xl@main\n"


def test_a_scan_of_a_folder_that_is_not_there_ends_with_3(scanned: Path) -> None:
    assert exit_code("hub_scan", "nobody") == 3


@pytest.mark.parametrize("path", ["../..", "/etc", "blobs", "forge/sketch/main/unet"])
def test_a_scan_of_what_cannot_be_scanned_is_wrong_usage(mirrored: Repo, path: str) -> None:
    assert exit_code("hub_scan", path) == 2


def test_a_scanned_repository_is_removed_by_its_name(scanned: Path) -> None:
    answer = told("hub_remove", "acme/xl", "--dry-run")
    assert (answer["removed"], answer["folders"]) == (False, ["acme/xl/main"])
    assert Repo.objects.count() == 1
    assert told("hub_remove", "acme/xl")["forgotten"]
    assert Repo.objects.count() == 0


def test_one_commit_is_removed_by_its_beginning(mirrored: Repo) -> None:
    answer = told("hub_remove", NAME, "--commit", mirrored.commit[:8])
    assert answer["freed_bytes"] > WEIGHTS.size
    assert exit_code("hub_remove", NAME, "--commit", "ffff") == 3


def test_removing_what_nobody_registered_ends_with_3(db: None, models_root: Path) -> None:
    assert exit_code("hub_remove", "no/body") == 3


def test_verifying_whole_files_is_quiet(mirrored: Repo) -> None:
    assert told("hub_verify", NAME)["damaged"] == []
    assert call("hub_verify", NAME) == ""


def test_verifying_damaged_files_ends_with_1_and_names_them(mirrored: Repo) -> None:
    flip(blob())
    out = io.StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("hub_verify", NAME, stdout=out, stderr=io.StringIO())
    assert failure.value.returncode == 1
    assert f"{mirrored}/unet/model.safetensors" in out.getvalue()


def test_verify_takes_one_repository_or_all(db: None, models_root: Path) -> None:
    assert exit_code("hub_verify") == 2
    assert exit_code("hub_verify", NAME, "--all") == 2


def test_a_move_tells_what_it_did(mirrored: Repo, tmp_path: Path) -> None:
    to = tmp_path / "new"
    answer = told("hub_move", str(to))
    assert (answer["folders"], answer["freed_bytes"]) == (1, 0)
    assert (to / NAME / "main/unet/model.safetensors").read_bytes() == WEIGHTS.read()


def test_a_move_to_where_nothing_can_be_moved_is_wrong_usage(
    mirrored: Repo, models_root: Path
) -> None:
    assert exit_code("hub_move", str(models_root / "new")) == 2
    assert exit_code("hub_move", "a/relative/path") == 2
