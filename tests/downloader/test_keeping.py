"""Collecting what nobody needs, and deciding about quarantined files."""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as site
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from registry.models import Model
from tests.downloader.conftest import CHECKPOINT, downloaded
from tests.hubs import Hub, faults

pytestmark = pytest.mark.django_db


def called(name: str, *words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(name, *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def blobs(root: Path) -> list[Path]:
    return [path for path in (root / "blobs").rglob("*") if path.is_file()]


def orphaned(root: Path) -> None:
    """A model whose folder somebody deleted by hand, long ago."""
    downloaded("hf:forge/xl")
    folder = Model.objects.get().folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    for blob in blobs(root):
        os.utime(blob, (1, 1))


def test_a_dry_run_tells_what_would_go_and_removes_nothing(
    checkpoint: str, models_root: Path
) -> None:
    orphaned(models_root)
    told = json.loads(called("model_collect", "--dry-run", "--json")[0])
    assert told["freed_bytes"] == CHECKPOINT.size + 5
    assert len(blobs(models_root)) == 2


def test_the_housekeeping_removes_what_nobody_needs(checkpoint: str, models_root: Path) -> None:
    orphaned(models_root)
    assert "downloader.upkeep.collect" in site.HOUSEKEEPING
    outcome = import_string("downloader.upkeep.collect")()
    assert outcome == {"blobs": 2, "freed_bytes": CHECKPOINT.size + 5, "logs": 0}
    assert blobs(models_root) == []


def test_what_a_model_needs_stays(checkpoint: str, models_root: Path) -> None:
    downloaded(checkpoint)
    for blob in blobs(models_root):
        os.utime(blob, (1, 1))
    called("model_collect")
    assert len(blobs(models_root)) == 2


@pytest.fixture
def suspect(hub: Hub, checkpoint: str) -> str:
    """The id of a file that arrived with a flipped bit."""
    hub.faults.add(faults.FlippedBit(at=1_000_000), path="*.safetensors")
    downloaded(checkpoint)
    (id_,) = json.loads(called("model_quarantine", "--json")[0])
    return str(id_)


def test_quarantined_files_are_listed_with_both_digests(suspect: str) -> None:
    listed = called("model_quarantine")[0]
    assert suspect in listed
    assert "xl.safetensors" in listed


def test_a_release_needs_a_name_and_a_reason(suspect: str) -> None:
    with pytest.raises(CommandError) as refused:
        called("model_quarantine", "--release", suspect, "--by", "mira")
    assert refused.value.returncode == 2


def test_a_released_file_is_installed_as_overridden(suspect: str, checkpoint: str) -> None:
    words = ("--by", "mira", "--reason", "the published digest is of another file")
    called("model_quarantine", "--release", suspect, *words)
    assert downloaded(checkpoint).status == "succeeded"
    model = Model.objects.get()
    trust = {file.path: file.trust for file in model.files}
    assert trust == {"README.md": "verified", "xl.safetensors": "overridden"}
    assert model.enabled


def test_a_discarded_file_is_gone(suspect: str, models_root: Path) -> None:
    called("model_quarantine", "--discard", suspect)
    assert json.loads(called("model_quarantine", "--json")[0]) == {}
    with pytest.raises(CommandError) as gone:
        called("model_quarantine", "--discard", suspect)
    assert gone.value.returncode == 3
