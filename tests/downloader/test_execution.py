"""The job types of the downloader, run as a worker runs them, against hubs on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_django import Settings

from downloader.models import Download
from dreamforge_site.accounts.models import User
from jobs import claims, execution, lifecycle, submission
from jobs.errors import CancelRequested, InvalidParams, NotAllowed
from jobs.models import Event, Job
from registry.models import Model
from tests.downloader.conftest import CHECKPOINT, downloaded, run_next
from tests.hubs import Hub, faults

pytestmark = pytest.mark.django_db


def test_a_download_becomes_an_installed_model(checkpoint: str, models_root: Path) -> None:
    job = downloaded(checkpoint, name="forge")
    assert job.status == "succeeded", job.error_message
    model = Model.objects.get()
    assert str(model.pk) == job.summary["model_id"]
    assert (model.name, model.kind, model.installed, model.enabled) == (
        "forge",
        "sdxl-checkpoint",
        True,
        True,
    )
    assert model.trust == "verified"
    file = models_root / model.local_path / "xl.safetensors"
    assert file.stat().st_size == CHECKPOINT.size
    described = json.loads((file.parent / "model.json").read_text())
    assert described["checkpoint_hash"] == model.checkpoint_hash


def test_the_bytes_of_a_download_are_told_file_by_file(checkpoint: str) -> None:
    job = downloaded(checkpoint)
    download = Download.objects.get(job=job)
    assert download.bytes_done == download.bytes_total == CHECKPOINT.size + len("# XL\n")
    assert download.source_uri.startswith(f"{checkpoint}@")
    rows = download.files.values_list("path", "status", "bytes_done")
    assert list(rows) == [
        ("README.md", "done", 5),
        ("xl.safetensors", "done", CHECKPOINT.size),
    ]


def test_a_second_download_of_the_same_model_fetches_nothing(hub: Hub, checkpoint: str) -> None:
    first = downloaded(checkpoint)
    sent = hub.bytes_sent("*.safetensors")
    again = downloaded(checkpoint)
    assert again.status == "succeeded"
    assert again.summary["model_id"] == first.summary["model_id"]
    assert again.summary["bytes_received"] == 0
    assert hub.bytes_sent("*.safetensors") == sent
    assert Model.objects.count() == 1


def test_a_download_may_leave_the_model_disabled(checkpoint: str) -> None:
    downloaded(checkpoint, enable=False)
    assert not Model.objects.get().enabled


def test_a_reference_that_cannot_be_one_is_refused_before_there_is_a_job(models_root: Path) -> None:
    with pytest.raises(InvalidParams) as refused:
        submission.submit("download", {"ref": "hf:a b"}, None)
    assert "hf:<" in str(refused.value.details)
    assert not Job.objects.exists()


def test_a_source_the_operator_does_not_allow_is_refused_at_the_door(models_root: Path) -> None:
    with pytest.raises(InvalidParams):
        submission.submit("download", {"ref": "file:/etc/hostname"}, None)


def test_downloading_needs_the_permission(db: None, models_root: Path) -> None:
    mira = User.objects.create_user("mira")
    with pytest.raises(NotAllowed, match="add_download"):
        submission.submit("download", {"ref": "hf:forge/xl"}, mira)


def test_a_repository_that_is_not_there_fails_for_good(models_root: Path) -> None:
    job = downloaded("hf:forge/nothing")
    assert (job.status, job.attempts, job.dead_at) == ("failed", 1, None)
    assert "forge/nothing" in job.error_message


def test_gated_files_fail_with_the_address_to_visit(hub: Hub, models_root: Path) -> None:
    hub.huggingface.add("forge/gated", {"xl.safetensors": CHECKPOINT}, gated="auto")
    job = downloaded("hf:forge/gated")
    assert (job.status, job.error_code) == ("failed", "provider_error")
    assert f"{hub.endpoint}/forge/gated" in job.error_message


def test_a_hub_that_is_away_is_asked_again_later(models_root: Path, settings: Settings) -> None:
    settings.DOWNLOAD_SOURCE_SETTINGS = {"hf": {"endpoint": "http://127.0.0.1:9", "token": ""}}
    job = downloaded("hf:forge/xl")
    assert (job.status, job.attempts) == ("queued", 1)
    assert Event.objects.filter(job=job, code="retry.scheduled").exists()


def test_wrong_bytes_install_nothing_and_lie_in_quarantine(
    hub: Hub, checkpoint: str, models_root: Path
) -> None:
    hub.faults.add(faults.FlippedBit(at=1_000), path="*.safetensors")
    job = downloaded(checkpoint)
    assert job.status == "failed"
    assert not Model.objects.exists()
    assert not list(models_root.glob("*/*@*"))
    assert len(list((models_root / ".quarantine").glob("*/record.json"))) == 1


def test_a_cancel_ends_a_download_and_keeps_what_was_fetched(
    hub: Hub, checkpoint: str, models_root: Path
) -> None:
    hub.faults.add(faults.Stall(at=1_000_000), path="*.safetensors")
    job = submission.submit("download", {"ref": checkpoint}, None)
    lease = claims.next_lease("io", "a worker", ["download"])
    assert lease is not None
    run = execution.prepare(lease)
    assert run is not None
    run.stop_with(CancelRequested)
    lifecycle.request_cancel(job.id)
    assert execution.execute(run) == "canceled"
    assert Job.objects.get().status == "canceled"
    assert not Model.objects.exists()


def test_a_damaged_model_is_found_and_disabled(checkpoint: str, models_root: Path) -> None:
    downloaded(checkpoint)
    model = Model.objects.get()
    _damage(models_root / model.local_path / "xl.safetensors")
    submission.submit("verify", {"model_id": str(model.pk)}, None)
    job = run_next()
    assert job.summary["damaged"] == [str(model.pk)]
    model.refresh_from_db()
    assert (model.enabled, model.trust) == (False, "mismatch")


def test_a_repair_fetches_what_is_damaged_and_no_more(
    hub: Hub, checkpoint: str, models_root: Path
) -> None:
    downloaded(checkpoint)
    model = Model.objects.get()
    folder = models_root / model.local_path
    _damage(folder / "xl.safetensors")
    sent = hub.bytes_sent("*README.md")
    submission.submit("verify", {"model_id": str(model.pk), "repair": True}, None)
    job = run_next()
    assert (job.status, job.summary["damaged"]) == ("succeeded", [])
    assert hub.bytes_sent("*README.md") == sent
    submission.submit("verify", {"model_id": str(model.pk)}, None)
    assert run_next().summary["damaged"] == []


def _damage(path: Path) -> None:
    """Flip a byte, as a failing disk does: under the same name, size and inode."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(2_000_000)
        byte = file.read(1)
        file.seek(2_000_000)
        file.write(bytes([byte[0] ^ 1]))
    path.chmod(0o444)
