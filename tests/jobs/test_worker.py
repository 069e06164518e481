"""A worker process from within: nothing a job does costs it a slot for ever."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from jobs import claims, custody, execution, lifecycle, queueing, submission
from jobs.kinds import names_for
from jobs.models import SCHEMA_VERSION, Event, Job, Worker
from jobs.states import State
from jobs.worker import WorkerProcess
from tests.jobs import invariants
from tests.jobs.service import make_due, submit, wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("trial_kinds"),
]


@pytest.fixture
def retired() -> threading.Event:
    return threading.Event()


@pytest.fixture
def worker(retired: threading.Event) -> Iterator[WorkerProcess]:
    process = WorkerProcess("io", ["0", "1"], retire=retired.set)
    yield process
    process.stop(0)
    wait_until(lambda: not _threads(), "the end of its threads")


def _threads() -> list[threading.Thread]:
    """Those of a worker: they hold connections to the database that is about to be emptied."""
    names = ("slot-", "look", "watch", "keep_time", "beat", "register", "sweep", "show_life")
    return [thread for thread in threading.enumerate() if thread.name.startswith(names)]


def ended(*job_ids: uuid.UUID) -> bool:
    return not Job.objects.filter(id__in=job_ids, finished_at=None).exists()


def test_a_slot_outlives_whatever_a_claim_raises(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = claims.next_lease
    raised: list[Exception] = []

    def breaks_twice(*arguments: Any, **options: Any) -> Any:
        if len(raised) < 2:
            raised.append(OperationalError("away") if raised else ValueError("a bug"))
            raise raised[-1]
        return real(*arguments, **options)

    monkeypatch.setattr(claims, "next_lease", breaks_twice)
    job_id = submit()
    worker.start()
    wait_until(lambda: ended(job_id), "the end of the job")
    assert len(raised) == 2
    invariants.check([job_id])


def test_a_canceled_job_whose_executor_is_deaf_is_canceled_in_its_stead(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch, retired: threading.Event
) -> None:
    monkeypatch.setattr(custody, "DEAF_AFTER_S", 0.5)
    monkeypatch.setattr(custody, "STUCK_AFTER_S", 0.5)
    monkeypatch.setattr("tests.jobs.kinds.LET_GO", let_go := threading.Event())
    job_id = submit(fault="deaf")
    worker.start()
    wait_until(lambda: Event.objects.filter(code="item.start").exists(), "the start")
    submission.cancel(Job.objects.get())
    wait_until(lambda: ended(job_id), "the end of the job")
    assert Job.objects.get().status == State.CANCELED
    wait_until(retired.is_set, "the retirement")
    let_go.set()
    wait_until(lambda: worker.idle, "the end of the run")
    invariants.check([job_id])


def test_a_claim_that_never_became_a_run_is_given_back(worker: WorkerProcess) -> None:
    job_id = submit()
    assert claims.next_lease("io", worker.holder, names_for("io"))
    worker.register()
    assert Job.objects.get().status == State.RUNNING
    worker.register()
    job = Job.objects.get()
    assert (job.status, job.attempts) == (State.QUEUED, 0)
    invariants.check([job_id], ended=False)


def test_a_worker_shows_what_its_devices_tell(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"0": {"label": "NVIDIA H100", "total": 80, "used": 13}}
    monkeypatch.setattr(worker, "_look_at", lambda _slots: facts)
    worker.look_at_devices()
    worker.register()
    assert Worker.objects.get(id=worker.holder).device_facts == facts


def test_what_a_driver_told_long_before_it_hung_is_shown_no_more(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    facts = {"0": {"label": "NVIDIA H100", "total": 80, "used": 13}}
    monkeypatch.setattr(worker, "_look_at", lambda _slots: facts)
    worker.look_at_devices()
    monkeypatch.setattr(worker, "_devices_seen_at", time.monotonic() - settings.JOB_LEASE_S / 2)
    worker.register()
    assert Worker.objects.get(id=worker.holder).device_facts == facts
    monkeypatch.setattr(worker, "_devices_seen_at", time.monotonic() - settings.JOB_LEASE_S)
    worker.register()
    assert Worker.objects.get(id=worker.holder).device_facts == {}
    worker.look_at_devices()
    worker.register()
    assert Worker.objects.get(id=worker.holder).device_facts == facts


def test_two_suspects_never_run_in_one_process(worker: WorkerProcess) -> None:
    """One of them may be what killed the worker that ran both."""
    suspects = [submit(items=5, item_ms=100) for _ in range(2)]
    Job.objects.update(error_code="worker_lost")
    fresh = submit(items=5, item_ms=100)
    first = claims.next_lease("io", worker.holder, names_for("io"), suspects=False)
    assert first is not None
    assert first.job_id == fresh
    lifecycle.give_back(first, "only a look")
    worker.start()
    wait_until(lambda: ended(*suspects, fresh), "the end of the jobs")
    first_start, second_start = (_at(job_id, "job.start") for job_id in suspects)
    first_end, second_end = (_at(job_id, "job.finish") for job_id in suspects)
    assert first_end <= second_start or second_end <= first_start


def _at(job_id: uuid.UUID, code: str) -> Any:
    return Event.objects.filter(job_id=job_id, code=code).latest("seq").ts


def test_a_worker_leaves_jobs_of_a_newer_version_alone(worker: WorkerProcess) -> None:
    newer = submit()
    Job.objects.update(schema_version=SCHEMA_VERSION + 1)
    ours = submit()
    worker.start()
    wait_until(lambda: ended(ours), "the end of our job")
    assert Job.objects.get(id=newer).status == State.QUEUED
    assert not worker._work_waits()


def test_gpu_work_that_waits_holds_no_io_work_up(worker: WorkerProcess) -> None:
    waiting = [submit("gpu_trial", priority=50) for _ in range(5)]
    ours = submit()
    worker.start()
    wait_until(lambda: ended(ours), "the end of our job")
    assert Job.objects.filter(id__in=waiting, status=State.QUEUED).count() == 5


def test_a_paused_queue_starts_nothing_until_it_is_resumed(worker: WorkerProcess) -> None:
    queueing.pause("io")
    job_id = submit()
    worker.start()
    worker.look()
    worker.wake()
    assert not ended(job_id)
    queueing.resume("io")
    wait_until(lambda: ended(job_id), "the end of the job")


def test_an_idle_look_is_one_question(
    worker: WorkerProcess, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        worker.look()


def test_a_worker_that_stopped_is_not_listed(worker: WorkerProcess) -> None:
    worker.register()
    assert Worker.objects.get().id == worker.holder
    worker.stop(0)
    assert not Worker.objects.exists()


def test_many_slots_of_many_workers_take_each_job_once(retired: threading.Event) -> None:
    jobs = [submit(priority=number % 3) for number in range(80)]
    workers = [WorkerProcess("io", ["0", "1", "2", "3"]) for _ in range(2)]
    for process in workers:
        process.start()
    wait_until(lambda: ended(*jobs), "the end of the jobs")
    for process in workers:
        process.stop(1)
    wait_until(lambda: not _threads(), "the end of the threads")
    invariants.check(jobs)
    assert Event.objects.filter(code="job.start").count() == 80
    took = Event.objects.filter(code="job.start").values_list("payload__worker", flat=True)
    assert set(took) == {process.holder for process in workers}


def test_cancel_and_success_at_once_end_a_job_in_one_way() -> None:
    """Two hundred races; each job has one end, whoever won."""
    jobs = [Job.objects.get(id=submit("selftest")) for _ in range(200)]
    leases = [claims.next_lease("io", "a worker", ["selftest"]) for _ in jobs]
    held = {lease.job_id: lease for lease in leases if lease}
    meet = threading.Barrier(2)

    def cancel() -> None:
        for job in jobs:
            meet.wait()
            lifecycle.request_cancel(job.id)
            lifecycle.cancel_running(held[job.id], cancel_requested_at__isnull=False)
        connection.close()

    canceler = threading.Thread(target=cancel)
    canceler.start()
    for job in jobs:
        meet.wait()
        lifecycle.succeed(held[job.id])
    canceler.join()
    invariants.check([job.id for job in jobs])


def test_a_queued_job_that_is_canceled_never_starts(worker: WorkerProcess) -> None:
    job_id = submit()
    submission.cancel(Job.objects.get())
    worker.start()
    after = submit()
    wait_until(lambda: ended(after), "the end of the job behind")
    job = Job.objects.get(id=job_id)
    assert (job.status, job.attempts) == (State.CANCELED, 0)
    invariants.check()


def test_a_running_job_hears_that_it_is_canceled(worker: WorkerProcess) -> None:
    job_id = submit(items=2, item_ms=600_000)
    worker.start()
    wait_until(lambda: Event.objects.filter(code="item.start").exists(), "the start")
    submission.cancel(Job.objects.get())
    wait_until(lambda: ended(job_id), "the end of the job")
    assert Job.objects.get().status == State.CANCELED
    invariants.check()


def test_a_fault_that_is_not_the_jobs_ends_with_the_lease() -> None:
    """The executor's thread was lost with its process: the sweep tries the job again."""
    job_id = submit()
    lease = claims.next_lease("io", "gone", names_for("io"))
    assert lease is not None
    assert execution.abandon(Job.objects.get(), lease) == "retry"
    make_due()
    again = claims.next_lease("io", "next", names_for("io"))
    assert again is not None
    assert lifecycle.succeed(again)
    assert not lifecycle.succeed(lease)
    invariants.check([job_id])
