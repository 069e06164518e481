"""Which job comes next: policy, and what many claimers at once may not break."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import claims, lifecycle, queueing, rows
from jobs.models import SCHEMA_VERSION, Job
from jobs.states import State

TYPES = ("selftest",)
CLAIMERS = 4
ROUND_ROBIN_JOBS = 120


@pytest.fixture(autouse=True)
def _fresh_turns() -> Iterator[None]:
    claims.forget_turns()
    yield
    claims.forget_turns()


def waiting(share: str = "", **facts: object) -> Job:
    job = Job(type="selftest", queue="io", share=share, **facts)
    rows.insert([job])
    return job


def started_shares(count: int) -> list[str]:
    return [Job.objects.get(id=start().job_id).share for _ in range(count)]


def start(warm: tuple[uuid.UUID, ...] = ()) -> lifecycle.Lease:
    lease = claims.next_lease("io", "holder", TYPES, warm)
    assert lease is not None
    return lease


@pytest.mark.django_db
def test_owner_of_three_jobs_does_not_wait_for_the_thousand_of_another() -> None:
    rows_of_a = [Job(type="selftest", queue="io", share="a") for _ in range(1000)]
    Job.objects.bulk_create(rows_of_a)
    for _ in range(3):
        waiting("b")
    assert Counter(started_shares(7))["b"] == 3


@pytest.mark.django_db
def test_every_share_has_its_turn_before_one_has_a_second() -> None:
    for share in "ccaabbd":
        waiting(share)
    assert started_shares(4) == ["a", "b", "c", "d"]
    assert sorted(started_shares(3)) == ["a", "b", "c"]


@pytest.mark.django_db
def test_share_that_comes_late_is_not_passed_over() -> None:
    for share in ["a", "b", "a", "b", "a", "b"]:
        waiting(share)
    assert started_shares(2) == ["a", "b"]
    waiting("aa")
    assert "aa" in started_shares(2)


@pytest.mark.django_db
def test_better_priority_goes_before_any_turn() -> None:
    waiting("a")
    urgent = [waiting("b", priority=5).id for _ in range(2)]
    assert [start().job_id for _ in range(2)] == urgent


@pytest.mark.django_db
def test_oldest_of_a_share_goes_first() -> None:
    now = timezone.now()
    young = waiting("a", available_at=now - timedelta(seconds=1))
    old = waiting("a", available_at=now - timedelta(seconds=2))
    assert [start().job_id, start().job_id] == [old.id, young.id]


@pytest.mark.django_db
def test_job_whose_model_is_loaded_goes_before_an_older_one_of_its_owner() -> None:
    warm = uuid.uuid4()
    waiting("a", model_id=uuid.uuid4())
    loaded = waiting("a", model_id=warm)
    assert start((warm,)).job_id == loaded.id


@pytest.mark.django_db
def test_loaded_model_does_not_take_another_owners_turn() -> None:
    warm = uuid.uuid4()
    cold = waiting("a", model_id=uuid.uuid4())
    waiting("b", model_id=warm)
    assert start((warm,)).job_id == cold.id


@pytest.mark.django_db
def test_job_that_waited_long_enough_goes_before_a_loaded_model() -> None:
    warm = uuid.uuid4()
    long_ago = timezone.now() - claims.WARM_PATIENCE - timedelta(seconds=1)
    patient = waiting("a", model_id=uuid.uuid4(), available_at=long_ago)
    waiting("a", model_id=warm)
    assert start((warm,)).job_id == patient.id


@pytest.mark.django_db
@pytest.mark.parametrize(
    "facts",
    [
        {"schema_version": SCHEMA_VERSION + 1},
        {"queue": "gpu"},
        {"type": "unknown"},
    ],
    ids=["of a newer version", "of another queue", "of a type we do not know"],
)
def test_job_that_is_not_for_us_stays_queued(facts: dict[str, object]) -> None:
    job = Job(**{"type": "selftest", "queue": "io", **facts})
    rows.insert([job])
    assert claims.next_lease("io", "holder", TYPES) is None
    assert Job.objects.get(id=job.id).status == State.QUEUED


@pytest.mark.django_db
def test_job_that_is_not_yet_due_stays_queued() -> None:
    job = waiting(available_at=timezone.now() + timedelta(seconds=60))
    assert claims.next_lease("io", "holder", TYPES) is None
    assert Job.objects.get(id=job.id).status == State.QUEUED


@pytest.mark.django_db
def test_job_that_cannot_run_yet_blocks_no_other() -> None:
    waiting("a", priority=9, available_at=timezone.now() + timedelta(seconds=60))
    ready = waiting("b")
    assert start().job_id == ready.id


@pytest.mark.django_db
def test_paused_queue_gives_nothing_until_it_is_resumed() -> None:
    job = waiting()
    queueing.pause("io")
    assert claims.next_lease("io", "holder", TYPES) is None
    queueing.resume("io")
    assert start().job_id == job.id


@pytest.mark.django_db
def test_idle_look_is_one_query_and_takes_no_write_lock() -> None:
    with CaptureQueriesContext(
        connection,
    ) as said:
        assert claims.next_lease("io", "holder", TYPES) is None
    assert [query["sql"].split()[0] for query in said.captured_queries] == ["SELECT"]


@pytest.mark.django_db(transaction=True)
def test_many_claimers_take_every_job_once_and_share_them_fairly() -> None:
    """Threads on one queue of four owners: no job twice, and nobody waits for ever."""
    shares = ["a", "b", "c", "d"]
    Job.objects.bulk_create(
        Job(type="selftest", queue="io", share=shares[at % 4]) for at in range(ROUND_ROBIN_JOBS)
    )
    taken: list[uuid.UUID] = []
    claimed_by: Counter[int] = Counter()
    begin = threading.Barrier(CLAIMERS)

    def work(number: int) -> None:
        begin.wait()
        try:
            while lease := claims.next_lease("io", f"holder-{number}", TYPES):
                taken.append(lease.job_id)
                claimed_by[number] += 1
                lifecycle.succeed(lease)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(CLAIMERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(Job.objects.values_list("id", flat=True))
    assert set(Job.objects.values_list("status", "attempts")) == {(State.SUCCEEDED, 1)}
    first_half = Job.objects.filter(id__in=taken[: ROUND_ROBIN_JOBS // 2])
    assert min(Counter(first_half.values_list("share", flat=True)).values()) >= 5


@pytest.mark.django_db(transaction=True)
def test_claimers_cancelers_and_submitters_never_deadlock() -> None:
    """Everybody at the same rows in their own order: any deadlock would be raised by a thread."""
    jobs = [Job(type="selftest", queue="io", share=str(at % 3)) for at in range(120)]
    Job.objects.bulk_create(jobs)
    failed: list[DatabaseError] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except DatabaseError as error:
            failed.append(error)
        finally:
            connection.close()

    def claim() -> None:
        while lease := claims.next_lease("io", "holder", TYPES):
            lifecycle.succeed(lease)

    def cancel() -> None:
        for job in reversed(jobs):
            lifecycle.cancel_queued(job.id) or lifecycle.request_cancel(job.id)

    def submit() -> None:
        for _ in range(20):
            waiting("new")

    threads = [threading.Thread(target=guarded, args=[w]) for w in (claim, cancel, submit) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claim()
    assert failed == []
    assert not Job.objects.filter(status__in=[State.QUEUED, State.RUNNING]).exists()
