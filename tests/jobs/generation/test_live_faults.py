"""What breaks while a real worker draws: its runner in every way, the storage, itself."""

from __future__ import annotations

import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from jobs import submission
from jobs.models import Artifact, Event
from jobs.states import State
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.jobs import invariants
from tests.jobs.generation.conftest import asked
from tests.jobs.service import Service, make_due, submit, wait_until
from tests.services.s3 import S3Server

pytestmark = pytest.mark.live

BUCKET = "pictures"
# An image of these takes a second and a half: time to break something in its middle.
SLOW = {"steps": 15}
STEP_MS = "100"


@dataclass(frozen=True)
class Ending:
    """Of a job: its state and error, and what each attempt that failed was told to be."""

    status: str
    code: str = ""
    lost: tuple[str, ...] = ()


FAILED = {code: Ending("failed", code, (code,)) for code in ("provider_error", "oom", "timeout")}
# A runner that died is no reason to give up, so these are drawn at the second attempt.
DRAWN_AFTER = {code: Ending("succeeded", "", (code,)) for code in ("provider_error", "worker_lost")}
ENDINGS = {
    "raise@step:2": FAILED["provider_error"],
    "raise@load": FAILED["provider_error"],
    "nan@step:2": FAILED["provider_error"],
    "gpu-oom@step:2": FAILED["oom"],
    "exhaust@step:2": FAILED["oom"],
    "hang@step:2": FAILED["timeout"],
    "deaf@step:2": FAILED["timeout"],
    "grandchild@step:2": FAILED["timeout"],
    "segv@step:2": DRAWN_AFTER["provider_error"],
    "exit@step:2": DRAWN_AFTER["provider_error"],
    "kill@step:2": DRAWN_AFTER["worker_lost"],
    "flood@step:2": Ending("succeeded"),
}
WELL = Ending("succeeded")


def drawing(count: int = 1, **params: Any) -> uuid.UUID:
    return submit("generate", **asked(count=count, **params))


def worker_of(service: Service, **variables: str) -> Supervised:
    return service.worker("gpu", None, DF_RUNNER="fake", **variables)


def slow_worker(service: Service, **variables: str) -> Supervised:
    return worker_of(service, DREAMFORGE_FAKE_STEP_MS=STEP_MS, **variables)


def ending(service: Service, job_id: uuid.UUID) -> Ending:
    """However often it is tried again."""
    wait_until(lambda: _over(service, job_id), "the end of the job", service.log)
    job = service.job(job_id)
    errors = Event.objects.filter(job=job, code="error").order_by("seq")
    return Ending(job.status, job.error_code, tuple(one.payload["code"] for one in errors))


def _over(service: Service, *job_ids: uuid.UUID) -> bool:
    make_due()
    waiting = service.jobs.filter(id__in=job_ids, status__in=[State.QUEUED, State.RUNNING])
    return not waiting.exists()


def pictures(job_id: uuid.UUID) -> dict[int, tuple[str, str]]:
    """By item: where its picture is, and the digest of its file."""
    rows = Artifact.objects.filter(job_id=job_id).values_list("item_index", "s3_key", "sha256")
    return {item: (key, sha256) for item, key, sha256 in rows}


def times_begun(job_id: uuid.UUID) -> Counter[int]:
    """How often each item was begun, over all attempts."""
    told = Event.objects.filter(job_id=job_id, code="seed.assigned")
    items = told.values_list("item_index", flat=True)
    return Counter(item for item in items if item is not None)


def test_a_worker_lives_through_every_fault_of_its_runner(service: Service) -> None:
    """After each the next job is drawn by the same worker, and no process stays behind."""
    fault = service.data_dir / "fault"
    worker = worker_of(
        service,
        DF_RUNNER_KEEP_ALIVE_S="0",
        DF_ITEM_TIMEOUT_S="2",
        DREAMFORGE_RUNNER_FAULT_FILE=str(fault),
    )
    own = worker.remaining()
    found, next_ones, happened = {}, {}, {}
    for what in ENDINGS:
        fault.write_text(what)
        found[what] = ending(service, drawing())
        happened[what] = not fault.exists()
        wait_until(lambda: worker.remaining() == own, "the end of the runners", service.log)
        next_ones[what] = ending(service, drawing())
    assert found == ENDINGS
    assert set(happened.values()) == {True}
    assert next_ones == dict.fromkeys(ENDINGS, WELL)
    assert worker.process.poll() is None
    invariants.check()


def test_a_runner_that_dies_every_time_ends_among_the_dead(service: Service) -> None:
    worker = worker_of(service, DREAMFORGE_RUNNER_FAULT="segv@item:1")
    job_id = drawing(count=3)
    assert ending(service, job_id) == Ending("failed", "provider_error", ("provider_error",) * 3)
    assert service.job(job_id).dead_at is not None
    assert times_begun(job_id) == {0: 1, 1: 3}
    assert list(pictures(job_id)) == [0]
    assert worker.process.poll() is None
    invariants.check([job_id])


def test_a_worker_killed_in_a_batch_leaves_only_the_unfinished_items_to_draw(
    service: Service,
) -> None:
    doomed = slow_worker(service)
    job_id = drawing(count=5, **SLOW)
    service.wait_until_said(job_id, "artifact.written", times=2)
    doomed.signal(signal.SIGKILL)
    assert doomed.none_remain()  # its runner goes with it
    kept = pictures(job_id)
    worker_of(service)
    service.wait_until_said(job_id, "retry.scheduled")
    assert ending(service, job_id) == Ending("succeeded", "", ("worker_lost",))
    made = pictures(job_id)
    assert sorted(made) == [0, 1, 2, 3, 4]
    assert kept.items() <= made.items()
    begun = times_begun(job_id)
    assert [begun[item] for item in kept] == [1] * len(kept)
    assert begun.total() <= 6
    invariants.check([job_id])


def test_a_cancel_keeps_what_is_drawn_and_the_next_job_is_drawn(service: Service) -> None:
    worker = slow_worker(service)
    job_id = drawing(count=5, **SLOW)
    service.wait_until_said(job_id, "artifact.written")
    submission.cancel(service.job(job_id))
    assert ending(service, job_id) == Ending("canceled", "canceled")
    assert 1 <= len(pictures(job_id)) < 5
    assert ending(service, drawing()) == WELL
    assert worker.process.poll() is None
    invariants.check()


# The storage


@pytest.fixture
def objects(service: Service, s3_server: S3Server) -> Iterator[Any]:
    """A fresh bucket that the workers of this test store in."""
    name = f"{BUCKET}-{uuid.uuid4().hex[:8]}"
    service.variables.update(s3_server.settings(name))
    s3: Any = boto3.resource(
        "s3",
        endpoint_url=s3_server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=s3_server.access_key,
        aws_secret_access_key=s3_server.secret_key,
    )
    with closing(s3.meta.client):
        yield s3.Bucket(name)


@contextmanager
def away(server: S3Server) -> Iterator[None]:
    server.interrupt()
    try:
        yield
    finally:
        server.start()


def stored(bucket: Any) -> list[str]:
    return sorted(found.key for found in bucket.objects.all())


def keys_of(job_id: uuid.UUID) -> list[str]:
    """Of its images and of the thumbnails that they have."""
    made = Artifact.objects.filter(job_id=job_id)
    return sorted(key for artifact in made for key in artifact.stored_keys)


def test_a_storage_that_is_away_for_a_moment_costs_no_attempt(
    service: Service, s3_server: S3Server, objects: Any
) -> None:
    worker = slow_worker(service)
    job_id = drawing(count=3, **SLOW)
    service.wait_until_said(job_id, "artifact.written")
    with away(s3_server):
        worker.wait_for("image_not_stored")
    assert ending(service, job_id) == WELL
    assert sorted(pictures(job_id)) == [0, 1, 2]
    assert stored(objects) == keys_of(job_id)
    assert set(times_begun(job_id).values()) == {1}
    invariants.check([job_id])


def test_a_storage_that_stays_away_has_the_job_tried_again_where_it_was(
    service: Service, s3_server: S3Server, objects: Any
) -> None:
    worker = slow_worker(service)
    job_id = drawing(count=3, **SLOW)
    service.wait_until_said(job_id, "artifact.written")
    with away(s3_server):
        service.wait_until_said(job_id, "retry.scheduled")
        kept = pictures(job_id)
    assert ending(service, job_id) == Ending("succeeded", "", ("storage_error",))
    assert kept.items() <= pictures(job_id).items()
    assert stored(objects) == keys_of(job_id)
    assert len(pictures(job_id)) == 3
    begun = times_begun(job_id)
    assert [begun[item] for item in kept] == [1] * len(kept)
    assert worker.process.poll() is None
    invariants.check([job_id])


def test_a_folder_that_takes_no_files_has_the_job_tried_again_where_it_was(
    service: Service,
) -> None:
    """A file stands where the folder was: not even root can write there."""
    worker = slow_worker(service)
    job_id = drawing(count=3, **SLOW)
    service.wait_until_said(job_id, "artifact.written")
    folder, aside = service.data_dir / "artifacts", service.data_dir / "aside"
    folder.rename(aside)
    folder.touch()
    service.wait_until_said(job_id, "retry.scheduled")
    kept = pictures(job_id)
    folder.unlink()
    aside.rename(folder)
    assert ending(service, job_id) == Ending("succeeded", "", ("storage_error",))
    assert kept.items() <= pictures(job_id).items()
    assert _files(folder) == keys_of(job_id)
    assert len(pictures(job_id)) == 3
    assert worker.process.poll() is None
    invariants.check([job_id])


def _files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
