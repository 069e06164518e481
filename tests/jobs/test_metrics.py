"""The numbers of `/metrics` about jobs, and of the queues."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import claims, execution, lifecycle, metrics, queueing, submission
from jobs.errors import Failure
from jobs.models import Job, Worker
from jobs.states import State

TYPES = ("selftest",)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _counted_afresh() -> Iterator[None]:
    for forget in (metrics.forget, queueing.forget, claims.forget_turns):
        forget()
    yield
    for forget in (metrics.forget, queueing.forget, claims.forget_turns):
        forget()


def gauges() -> dict[str, float]:
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


def counted(family: Any, suffix: str, *labels: str) -> float:
    found: list[float] = [
        sample.value
        for metric in family.collect()
        for sample in metric.samples
        if sample.name.endswith(suffix) and tuple(sample.labels.values())[: len(labels)] == labels
    ]
    return sum(found)


def started() -> lifecycle.Lease:
    lease = claims.next_lease("io", "holder", TYPES)
    assert lease is not None
    return lease


def test_jobs_are_told_by_type_and_status() -> None:
    for _ in range(3):
        submission.submit("selftest", {}, None)
    lifecycle.succeed(started())
    started()
    told = gauges()
    assert told["dreamforge_jobs selftest queued"] == 1
    assert told["dreamforge_jobs selftest running"] == 1
    assert told["dreamforge_jobs selftest succeeded"] == 1
    assert told["dreamforge_jobs selftest failed"] == 0


def test_queue_is_told_with_its_depth_workers_and_pause() -> None:
    submission.submit("selftest", {}, None)
    Worker.objects.create(id="one", queue="io", slots=4)
    Worker.objects.create(id="silent", queue="io", seen_at=timezone.now() - timedelta(hours=1))
    queueing.pause("io")
    told = gauges()
    assert told["dreamforge_queue_depth io"] == 1
    assert told["dreamforge_queue_depth gpu"] == 0
    assert told["dreamforge_queue_workers io"] == 1
    assert told["dreamforge_queue_slots io"] == 4
    assert told["dreamforge_queue_paused io"] == 1


def test_dead_letters_are_told_until_they_are_dealt_with() -> None:
    submission.submit("selftest", {}, None)
    lease = started()
    lifecycle.fail(lease, Failure("worker_lost", "gone"), dead=True)
    assert gauges()["dreamforge_dead_letters"] == 1
    submission.resolve_dead(lease.job_id)
    assert gauges()["dreamforge_dead_letters"] == 0


def test_attempt_leaves_its_waiting_time_run_time_and_items() -> None:
    known = metrics._counted()
    before = [
        counted(known.waited, "_count", "io"),
        counted(known.ran, "_count", "selftest", "succeeded"),
        counted(known.item, "_count", "selftest"),
    ]
    submission.submit("selftest", {"items": 2}, None)
    run = execution.prepare(started())
    assert run is not None
    execution.execute(run)
    after = [
        counted(known.waited, "_count", "io"),
        counted(known.ran, "_count", "selftest", "succeeded"),
        counted(known.item, "_count", "selftest"),
    ]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 2]


def test_lost_worker_is_counted_as_retried_and_at_last_as_dead() -> None:
    known = metrics._counted()
    outcomes = ("retried", "dead")
    before = [counted(known.errors, "_total", "worker_lost", outcome) for outcome in outcomes]
    job = submission.submit("selftest", {}, None)
    for _ in range(3):
        lease = started()
        execution.abandon(Job.objects.get(id=job.id), lease)
        Job.objects.filter(id=job.id).update(available_at=timezone.now())
    after = [counted(known.errors, "_total", "worker_lost", outcome) for outcome in outcomes]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1]


def test_place_counts_own_older_jobs_and_the_turns_of_others() -> None:
    for share in "aaabbc":
        Job.objects.create(type="selftest", queue="io", share=share)
    second_of_a = Job.objects.filter(share="a").order_by("available_at")[1]
    place = queueing.place(second_of_a)
    assert place == queueing.Place(position=1 + 2 + 1 + 1, eta_s=None)


def test_place_counts_whatever_has_better_priority() -> None:
    for share in "aab":
        Job.objects.create(type="selftest", queue="io", share=share, priority=1)
    job = Job.objects.create(type="selftest", queue="io", share="c")
    place = queueing.place(job)
    assert place is not None
    assert place.position == 4


def test_running_job_has_no_place() -> None:
    submission.submit("selftest", {}, None)
    assert queueing.place(Job.objects.get(id=started().job_id)) is None


def test_eta_is_rounds_of_slots_times_what_such_jobs_took() -> None:
    now = timezone.now()
    for took_s in (8, 10, 600):
        Job.objects.create(
            type="selftest",
            queue="io",
            status=State.SUCCEEDED,
            started_at=now - timedelta(seconds=took_s),
            finished_at=now,
        )
    Worker.objects.create(id="one", queue="io", slots=2)
    jobs = [Job.objects.create(type="selftest", queue="io", share="a") for _ in range(5)]
    assert queueing.place(jobs[4]) == queueing.Place(position=5, eta_s=20.0)
