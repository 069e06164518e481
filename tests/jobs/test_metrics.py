"""The numbers of `/metrics` about jobs, and of the queues."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dreamforge_site.accounts.models import User
from dreamforge_site.operations import metrics as site_metrics
from jobs import claims, execution, lifecycle, metrics, queueing, submission
from jobs.errors import Failure
from jobs.models import Job, Worker
from jobs.states import State
from jobs.webhooks import deliveries, outbox, sender
from jobs.webhooks.deliveries import Result
from jobs.webhooks.models import Outcome

TYPES = ("selftest",)

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def _counting() -> None:
    """As every process that counts does; another test may have had this one count in files."""
    site_metrics.join()


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada")


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


def test_messages_that_are_owed_and_given_up_are_told(owner: User) -> None:
    now = timezone.now()
    for status, count in ((Outcome.PENDING, 2), (Outcome.FAILED, 1), (Outcome.DELIVERED, 3)):
        ended = None if status == Outcome.PENDING else now
        for _ in range(count):
            outbox.delivery(
                owner.pk, "https://a.example.org/", "job.failed", status=status, finished_at=ended
            ).save()
    told = gauges()
    assert told["dreamforge_webhook_deliveries pending"] == 2
    assert told["dreamforge_webhook_deliveries failed"] == 1
    assert "dreamforge_webhook_deliveries delivered" not in told


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (Result(status_code=200), "delivered"),
        (Result(error="No answer.", delay_s=5), "retried"),
        (Result(error="No answer."), "failed"),
    ],
)
def test_attempts_to_deliver_are_counted_by_outcome(
    owner: User, monkeypatch: pytest.MonkeyPatch, result: Result, outcome: str
) -> None:
    delivery = outbox.delivery(owner.pk, "https://a.example.org/", "job.failed")
    delivery.save()
    claimed = deliveries.claim(delivery, "holder of the test")
    assert claimed is not None
    monkeypatch.setattr(sender, "_attempt", lambda _delivery: result)
    known = metrics._counted()
    before = counted(known.webhooks, "_total", outcome)
    sender.send(claimed)
    assert counted(known.webhooks, "_total", outcome) == before + 1
