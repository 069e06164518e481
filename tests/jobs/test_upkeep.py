"""What is past its time goes, with its files; what is still needed stays."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from jobs import leftovers, upkeep
from jobs.models import Artifact, Event, IdempotencyKey, Job, Leftover, Step
from jobs.states import State

LONG_AGO = timezone.now() - timedelta(days=400)
ENDS = (State.SUCCEEDED, State.FAILED, State.CANCELED)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings: Settings, tmp_path: Path) -> Path:
    backend = "django.core.files.storage.FileSystemStorage"
    default = {"BACKEND": backend, "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    settings.RETENTION_JOBS_DAYS = 30
    settings.RETENTION_JOBS_COUNT = 0
    settings.RETENTION_EVENTS_DAYS = 7
    settings.RETENTION_ARTIFACTS_DAYS = 0
    settings.RETENTION_ARTIFACTS_COUNT = 0
    return tmp_path


def job_of(status: State, when: Any = LONG_AGO, **facts: Any) -> Job:
    ended = {"finished_at": when} if status in ENDS else {}
    held = {"lease_holder": "somebody"} if status == State.RUNNING else {}
    facts = {**ended, **held, **facts}
    return Job.objects.create(type="selftest", queue="io", status=status, created_at=when, **facts)


def picture_of(job: Job, at: int = 0) -> Artifact:
    key = default_storage.save(f"jobs/{job.id}/{at}.png", ContentFile(b"picture"))
    step, _ = Step.objects.get_or_create(job=job, name="run", position=0)
    return Artifact.objects.create(
        job=job,
        step=step,
        item_index=at,
        s3_key=key,
        format="png",
        content_type="image/png",
        width=8,
        height=8,
        seed=1,
        sha256="0" * 64,
        size_bytes=7,
        created_at=job.created_at,
    )


def files(storage: Path) -> list[str]:
    return sorted(path.name for path in storage.rglob("*.png"))


@pytest.mark.parametrize("status", ENDS)
def test_job_that_ended_long_ago_goes_with_all_it_has(status: State, storage: Path) -> None:
    job = job_of(status)
    picture_of(job)
    Event.objects.create(job=job, seq=1, code="job.queued")
    upkeep.run()
    left = (Job, Step, Event, Artifact, Leftover)
    assert [model.objects.count() for model in left] == [0] * len(left)
    assert files(storage) == []


@pytest.mark.parametrize("status", [State.QUEUED, State.RUNNING])
def test_job_that_is_not_over_stays_however_old(status: State) -> None:
    job_of(status)
    upkeep.run()
    assert Job.objects.count() == 1


def test_young_job_stays() -> None:
    job_of(State.SUCCEEDED, timezone.now())
    upkeep.run()
    assert Job.objects.count() == 1


def test_dead_letter_stays_until_somebody_has_dealt_with_it() -> None:
    job = job_of(State.FAILED, dead_at=LONG_AGO)
    upkeep.run()
    assert Job.objects.count() == 1
    Job.objects.filter(id=job.id).update(dead_resolved_at=timezone.now())
    upkeep.run()
    assert Job.objects.count() == 0


def test_only_the_newest_jobs_stay_when_their_number_is_limited(settings: Settings) -> None:
    settings.RETENTION_JOBS_COUNT = 3
    now = timezone.now()
    ages = [job_of(State.SUCCEEDED, now - timedelta(minutes=age)).id for age in range(6)]
    upkeep.run()
    assert set(Job.objects.values_list("id", flat=True)) == set(ages[:3])


def test_pictures_can_go_before_their_job(settings: Settings, storage: Path) -> None:
    settings.RETENTION_ARTIFACTS_DAYS = 7
    job = job_of(State.SUCCEEDED, timezone.now() - timedelta(days=10))
    picture_of(job)
    upkeep.run()
    assert Job.objects.filter(id=job.id).exists()
    assert (Artifact.objects.count(), files(storage)) == (0, [])


def test_only_the_newest_pictures_stay_when_their_number_is_limited(
    settings: Settings, storage: Path
) -> None:
    settings.RETENTION_ARTIFACTS_COUNT = 1
    now = timezone.now()
    for age in range(3):
        picture_of(job_of(State.SUCCEEDED, now - timedelta(minutes=age)), age)
    upkeep.run()
    assert files(storage) == ["0.png"]


def test_progress_lines_of_old_jobs_go_and_their_other_lines_stay() -> None:
    job = job_of(State.SUCCEEDED, timezone.now() - timedelta(days=10))
    for seq, code in enumerate(["job.queued", "progress", "job.finish"], start=1):
        Event.objects.create(job=job, seq=seq, code=code, ts=job.created_at)
    upkeep.run()
    assert list(job.events.values_list("code", flat=True)) == ["job.queued", "job.finish"]


def test_expired_keys_go() -> None:
    facts = {"caller": "c", "scope": "s", "body_hash": "b"}
    IdempotencyKey.objects.create(**facts, key_hash="old", expires_at=LONG_AGO)
    IdempotencyKey.objects.create(
        **facts, key_hash="new", expires_at=timezone.now() + timedelta(hours=1)
    )
    upkeep.run()
    assert list(IdempotencyKey.objects.values_list("key_hash", flat=True)) == ["new"]


def test_dry_run_counts_and_removes_nothing(storage: Path) -> None:
    picture_of(job_of(State.SUCCEEDED))
    assert upkeep.run(dry_run=True)["jobs_by_age"] == 1
    assert (Job.objects.count(), files(storage)) == (1, ["0.png"])


def test_many_rows_go_in_small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 2)
    for _ in range(5):
        job_of(State.SUCCEEDED)
    with CaptureQueriesContext(connection) as said:
        removed = upkeep.run()
    deletions = [query for query in said if query["sql"].startswith('DELETE FROM "jobs_job"')]
    assert removed["jobs_by_age"] == 5
    assert len(deletions) == 3


def test_file_that_cannot_be_removed_now_is_removed_next_time(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the storage is away or the process killed: the row is gone, the list remembers."""
    picture_of(job_of(State.SUCCEEDED))

    def fails(_storage: FileSystemStorage, _name: str) -> None:
        raise OSError("away")

    with monkeypatch.context() as away:
        away.setattr(FileSystemStorage, "delete", fails)
        upkeep.run()
    assert (Artifact.objects.count(), files(storage)) == (0, ["0.png"])
    assert Leftover.objects.count() == 1
    upkeep.run()
    assert (Leftover.objects.count(), files(storage)) == (0, [])


def test_file_that_is_shown_again_is_not_removed(storage: Path) -> None:
    picture = picture_of(job_of(State.SUCCEEDED, timezone.now()))
    Leftover.objects.create(s3_key=picture.s3_key)
    assert leftovers.clear() == 1
    assert files(storage) == ["0.png"]


def test_file_that_is_gone_already_is_no_fault() -> None:
    Leftover.objects.create(s3_key="jobs/none.png")
    assert leftovers.clear() == 1


def test_command_prints_what_would_go() -> None:
    job_of(State.SUCCEEDED)
    out = StringIO()
    call_command("retention", "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue())["jobs_by_age"] == 1
    assert Job.objects.count() == 1


def test_command_says_what_it_removed() -> None:
    job_of(State.SUCCEEDED)
    out = StringIO()
    call_command("retention", stdout=out)
    assert "jobs by age: 1 removed" in out.getvalue()
