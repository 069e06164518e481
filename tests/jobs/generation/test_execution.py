"""Drawing as a worker does it, in real child processes that pretend."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils import timezone
from pytest_django import Settings

from dreamforge_site.operations import metrics as site_metrics
from jobs import leftovers, metrics, submission
from jobs.errors import AttemptFailed
from jobs.generation import keepers, storing
from jobs.models import Artifact, Event, Job, Leftover
from registry import catalog
from registry.models import Model
from runners import devices, image_files
from tests.jobs.generation.conftest import asked, draw_next, drawn
from tests.jobs.watching.waiting import wait_until

pytestmark = pytest.mark.django_db

Fault = Callable[[str], None]


def said(job: Job, code: str) -> list[Event]:
    return list(Event.objects.filter(job=job, code=code).order_by("seq"))


def test_five_images_with_five_seeds(model: Model) -> None:
    job = drawn(count=5)
    assert (job.status, job.progress) == ("succeeded", 1.0)
    artifacts = list(Artifact.objects.order_by("item_index"))
    assert [a.item_index for a in artifacts] == [0, 1, 2, 3, 4]
    assert len({a.seed for a in artifacts}) == 5
    assert len({a.sha256 for a in artifacts}) == 5
    told = [event.payload["seed"] for event in said(job, "seed.assigned")]
    assert told == [a.seed for a in artifacts]


def test_the_same_seed_draws_the_same_picture(model: Model) -> None:
    first, second = drawn(seed=7), drawn(seed=7)
    pictures = {a.pixels_sha256 for a in Artifact.objects.filter(job__in=[first, second])}
    assert len(pictures) == 1


def test_a_seed_of_several_images_is_not_used_and_the_log_says_so(model: Model) -> None:
    job = drawn(seed=7, count=2)
    assert 7 not in Artifact.objects.values_list("seed", flat=True)
    assert len(said(job, "seed.ignored")) == 1


def test_counting_up_makes_a_batch_that_can_be_made_again(model: Model) -> None:
    drawn(seed=7, count=3, seed_strategy="increment")
    assert list(Artifact.objects.order_by("item_index").values_list("seed", flat=True)) == [7, 8, 9]


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_the_file_says_what_made_it(model: Model, format: str) -> None:
    job = drawn(seed=7, format=format, prompt="Größe 🎉", negative_prompt="dark")
    artifact = Artifact.objects.get()
    with default_storage.open(artifact.s3_key) as file:
        record = image_files.read(file.read()).record
    assert record is not None
    wanted = {"prompt": "Größe 🎉", "negative_prompt": "dark", "seed": 7, "steps": 2}
    assert wanted.items() <= record.items()
    assert record["job_id"] == str(job.pk)
    assert (record["model_name"], record["checkpoint_hash"]) == ("forge", model.checkpoint_hash)


def test_a_file_can_keep_silent(model: Model) -> None:
    drawn(embed_metadata=False)
    with default_storage.open(Artifact.objects.get().s3_key) as file:
        found = image_files.read(file.read())
    assert (found.record, found.parameters) == (None, None)


def test_the_key_is_in_the_contracts_form(model: Model) -> None:
    job = drawn(seed=7)
    key = Artifact.objects.get().s3_key
    assert key.startswith(f"dreamforge/service/jobs/{job.pk}/generate/")
    assert key.endswith("_0_64x64_7.png")


def test_progress_goes_through_the_stages_and_never_back(model: Model) -> None:
    job = drawn(count=2)
    overall = [event.payload["overall"] for event in said(job, "progress")]
    assert overall == sorted(overall)
    assert overall[-1] == 1.0
    assert {event.payload["stage"] for event in said(job, "progress")} <= {
        "load",
        "sampling",
        "finalize",
    }


def test_the_second_job_of_a_model_finds_it_warm(model: Model) -> None:
    drawn()
    pid = keepers.of("0").child_pid
    assert keepers.warm("0") == (model.pk,)
    drawn()
    assert keepers.of("0").child_pid == pid


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("raise", "provider_error"),
        ("nan", "provider_error"),
        ("host-oom", "oom"),
    ],
)
def test_a_fault_fails_the_job_and_the_next_is_drawn(
    model: Model, fault: Fault, what: str, code: str
) -> None:
    fault(f"{what}@step:2")
    job = drawn()
    assert (job.status, job.error_code) == ("failed", code)
    fault("")
    assert drawn().status == "succeeded"


def test_an_image_that_takes_too_long_ends_the_job(
    model: Model, fault: Fault, settings: Settings
) -> None:
    settings.ITEM_TIMEOUT_S = 0.5
    fault("hang@step:2")
    job = drawn()
    assert (job.status, job.error_code) == ("failed", "timeout")


@pytest.mark.parametrize("transient", [False, True])
def test_a_job_that_ends_otherwise_counts_the_images_that_it_finished(
    model: Model, monkeypatch: pytest.MonkeyPatch, transient: bool
) -> None:
    """It fails after two, or is canceled where it waits for another try."""
    put, count = storing._put, []

    def fail_third(*arguments: object) -> None:
        count.append(1)
        if len(count) == 3:
            raise AttemptFailed("storage_error" if transient else "internal", "away")
        put(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(storing, "_put", fail_third)
    job = drawn(count=4)
    if transient:
        submission.cancel(job)
        job.refresh_from_db()
    assert job.status == ("canceled" if transient else "failed")
    assert job.summary == {"count": 4, "completed": 2}


def test_finished_images_stay_and_a_new_run_makes_only_the_others(
    model: Model, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage goes away after two images, comes back, and the job is tried again."""
    put, count = storing._put, []

    def fail_third(*arguments: object) -> None:
        count.append(1)
        if len(count) == 3:
            raise AttemptFailed("storage_error", "away", transient=True)
        put(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(storing, "_put", fail_third)
    submission.submit("generate", asked(count=4), None)
    job = draw_next()
    assert (job.status, Artifact.objects.count()) == ("queued", 2)
    kept = set(Artifact.objects.values_list("pk", "sha256"))
    Job.objects.update(available_at=job.created_at)
    job = draw_next()
    assert (job.status, job.attempts) == ("succeeded", 2)
    assert kept < set(Artifact.objects.values_list("pk", "sha256"))
    assert list(Artifact.objects.order_by("item_index").values_list("item_index", flat=True)) == [
        0,
        1,
        2,
        3,
    ]


def test_a_file_whose_row_never_came_is_found_and_removed(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.run.Run.artifact", _die)
    drawn()
    image, small = Leftover.objects.order_by("pk")
    assert small.s3_key == f"{image.s3_key}.thumb.webp"
    assert default_storage.exists(image.s3_key)
    assert default_storage.exists(small.s3_key)
    assert leftovers.clear() == 0
    Leftover.objects.update(since=timezone.now() - timedelta(seconds=1))
    assert leftovers.clear() == 2
    assert not default_storage.exists(image.s3_key)
    assert not default_storage.exists(small.s3_key)


def _die(*_: object) -> None:
    raise RuntimeError("the worker is gone before the row is written")


def test_a_stored_image_leaves_nothing_to_clear(model: Model) -> None:
    drawn()
    assert not Leftover.objects.exists()


def test_a_storage_that_comes_back_costs_a_moment(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    save: Any = FileSystemStorage._save  # type: ignore[attr-defined]  # the stubs leave it out
    tries = []

    def fail_once(storage: FileSystemStorage, name: str, content: File[Any]) -> str:
        tries.append(name)
        if len(tries) == 1:
            raise OSError("away")
        return str(save(storage, name, content))

    monkeypatch.setattr(storing, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(FileSystemStorage, "_save", fail_once)
    assert drawn().status == "succeeded"
    key = Artifact.objects.get().s3_key
    assert tries == [key, key, f"{key}.thumb.webp"]


def test_a_model_that_went_away_fails_the_job_that_waited(model: Model) -> None:
    submission.submit("generate", asked(), None)
    catalog.disable(model.pk)
    job = draw_next()
    assert (job.status, job.error_code) == ("failed", "invalid_model")


def test_no_picture_stays_in_the_working_folder(model: Model, settings: Settings) -> None:
    drawn(count=2)
    assert list(Path(settings.RUN_DIR, "images").iterdir()) == []


@pytest.mark.parametrize(
    ("how", "code"),
    [("kill", "worker_lost"), ("segv", "provider_error"), ("exit", "provider_error")],
)
def test_a_runner_that_died_is_no_reason_to_give_up(
    model: Model, fault: Fault, how: str, code: str
) -> None:
    fault(f"{how}@step:2")
    job = drawn()
    assert (job.status, job.error_code, job.attempts) == ("queued", code, 1)


def test_loading_is_told_before_the_first_image_begins(model: Model) -> None:
    job = drawn(count=2)
    first = said(job, "progress")[:2]
    half_loaded = [(event.item_index, event.payload["progress"]) for event in first]
    assert half_loaded == [(0, 0.025), (1, 0.025)]


def test_a_file_that_broke_off_half_way_is_written_again_in_its_place(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    save: Any = FileSystemStorage._save  # type: ignore[attr-defined]  # the stubs leave it out
    tries = []

    def break_off_once(storage: FileSystemStorage, name: str, content: File[Any]) -> str:
        tries.append(name)
        stored = str(save(storage, name, content))
        if len(tries) == 1:
            Path(storage.path(stored)).write_bytes(b"half")
            raise OSError("no space is left")
        return stored

    monkeypatch.setattr(storing, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(FileSystemStorage, "_save", break_off_once)
    assert drawn().status == "succeeded"
    artifact = Artifact.objects.get()
    small = f"{artifact.s3_key}.thumb.webp"
    assert tries == [artifact.s3_key, artifact.s3_key, small]
    file = Path(default_storage.path(artifact.s3_key))
    beside = Path(default_storage.path(small))
    assert set(file.parent.iterdir()) == {file, beside}
    assert file.stat().st_size == artifact.size_bytes


# The device's memory


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a device says is in use on it: one number after the other."""
    site_metrics.join()
    metrics.gpu_memory("0", before=0, after=0, peak=1)
    numbers = [100, 130]
    monkeypatch.setattr(devices, "used_bytes", lambda _name: numbers.pop(0))
    return numbers


def gauge(moment: str) -> float:
    found: list[float] = [
        sample.value
        for metric in metrics._counted().gpu_memory.collect()
        for sample in metric.samples
        if (sample.labels["device"], sample.labels["moment"]) == ("0", moment)
    ]
    return sum(found)


def test_memory_before_and_after_a_runner_is_told_in_the_log_and_the_metrics(
    model: Model, device: list[int], settings: Settings
) -> None:
    settings.RUNNER_KEEP_ALIVE_S = 0
    (told,) = said(drawn(), "gpu.mem")
    assert told.payload == {"before": 100, "after": 130, "peak": 0}
    assert (gauge("before"), gauge("after"), gauge("peak")) == (100, 130, 0)


def test_a_runner_that_stays_has_not_given_its_memory_back(model: Model, device: list[int]) -> None:
    (told,) = said(drawn(), "gpu.mem")
    assert told.payload == {"before": 100, "after": None, "peak": 0}
    assert device == [130]


def test_memory_of_a_runner_that_ends_idle_is_told_too(
    model: Model, device: list[int], settings: Settings
) -> None:
    settings.RUNNER_KEEP_ALIVE_S = 0.1
    drawn()
    wait_until(lambda: gauge("after") == 130)


@pytest.mark.parametrize("in_use", [True, False])
def test_what_a_killed_worker_left_goes_with_the_next_attempt(
    model: Model, settings: Settings, in_use: bool
) -> None:
    left = Path(settings.RUN_DIR, "images", "draw-left")
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    held = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX if in_use else fcntl.LOCK_UN)
        drawn()
    finally:
        os.close(held)
    assert left.exists() is in_use
