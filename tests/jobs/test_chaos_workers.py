"""Workers that are killed, stopped, hung or told to end while they run jobs (R1-R5, R12, R14)."""

from __future__ import annotations

import signal
import uuid

import pytest

from jobs import submission
from jobs.models import Artifact, Event, Job
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import Service, kill, make_due, pause, resume, submit, wait_until

pytestmark = pytest.mark.live

RETIRED_STATUS = 75


def codes(job: Job) -> list[str]:
    return list(Event.objects.filter(job=job).order_by("seq").values_list("code", flat=True))


@pytest.mark.parametrize("fault", ["kill", "segfault", "exit"])
def test_a_job_whose_worker_dies_goes_on_where_it_was(service: Service, fault: str) -> None:
    job_id = submit(items=3, at=1, fault=fault, until_attempt=1, draws=True)
    service.worker(concurrency=1).exit_status()
    first = Artifact.objects.get(job_id=job_id)
    behind = submit(items=2)
    service.worker(concurrency=1)
    service.wait_until_said(job_id, "retry.scheduled")
    make_due()
    service.wait_until_over()
    invariants.check([job_id, behind])
    job = service.job(job_id)
    assert (job.status, job.attempts) == (State.SUCCEEDED, 2)
    made = Artifact.objects.filter(job_id=job_id)
    assert [artifact.item_index for artifact in made] == [0, 1, 2]
    assert first in made


def test_a_killed_worker_loses_its_jobs_to_another(service: Service) -> None:
    heir = service.worker(concurrency=2)
    pause(heir)  # so that it does not take them first
    doomed = service.worker(concurrency=2)
    jobs = [submit(items=40, item_ms=50, draws=True) for _ in range(2)]
    for job_id in jobs:
        service.wait_until_said(job_id, "artifact.written", times=2)
    kill(doomed)
    resume(heir)
    for job_id in jobs:
        service.wait_until_said(job_id, "retry.scheduled")
    make_due()
    service.wait_until_over()
    invariants.check(jobs)
    assert [service.job(job_id).attempts for job_id in jobs] == [2, 2]
    assert Artifact.objects.count() == 80


def test_a_worker_that_was_stopped_past_its_lease_can_write_nothing(service: Service) -> None:
    zombie = service.worker(concurrency=1)
    job_id = submit(items=30, item_ms=100, draws=True)
    service.wait_until_said(job_id, "artifact.written")
    pause(zombie)
    service.worker(concurrency=1)
    service.wait_until_said(job_id, "retry.scheduled")
    make_due()
    service.wait_until_over()
    told = codes(service.job(job_id))
    resume(zombie)
    zombie.wait_for('"ending": "lease_lost"')
    invariants.check([job_id])
    assert codes(service.job(job_id)) == told
    assert Artifact.objects.count() == 30


def test_a_job_that_kills_every_worker_is_dead_after_three_starts(service: Service) -> None:
    killer = submit(fault="kill", item_ms=100)
    good = [submit(items=3, item_ms=100) for _ in range(20)]
    while not service.jobs.filter(id=killer, dead_at__isnull=False).exists():
        service.worker()
        wait_until(lambda: _ended_or_dead(service, killer), "the worker's end", service.log)
    service.worker()
    service.wait_until_over()
    invariants.check([killer, *good])
    dead = service.job(killer)
    assert (dead.status, dead.error_code, dead.attempts) == (State.FAILED, "worker_lost", 3)
    assert codes(dead).count("job.start") == 3
    assert service.jobs.filter(id__in=good, status=State.SUCCEEDED).count() == 20
    again = submission.requeue(dead, params={"items": 2})
    service.wait_until_over([again.id])
    again.refresh_from_db()
    assert (again.status, again.attempts, again.requeued_from) == (State.SUCCEEDED, 1, dead)
    assert not Job.objects.dead().exists()


def _ended_or_dead(service: Service, killer: uuid.UUID) -> bool:
    make_due()
    is_dead = service.jobs.filter(id=killer, dead_at__isnull=False).exists()
    return is_dead or service.processes[-1].process.poll() is not None


def test_what_an_executor_waits_for_in_vain_is_killed_and_nobody_beside_it(
    service: Service,
) -> None:
    worker = service.worker(concurrency=2)
    own = len(worker.remaining())
    beside = submit(items=300, item_ms=100)
    hung = submit("hasty", fault="hung")
    service.wait_until_said(hung, "family.started")
    assert len(worker.remaining()) > own
    service.wait_until_over([hung])
    assert service.job(hung).error_code == "timeout"
    wait_until(lambda: len(worker.remaining()) == own, "the end of its processes", service.log)
    service.wait_until_over([submit()])  # in the slot that the hung one had
    neighbour = service.job(beside)
    assert (neighbour.status, neighbour.claim) == (State.RUNNING, 1)
    assert worker.process.poll() is None
    submission.cancel(neighbour)
    service.wait_until_over()
    invariants.check([beside, hung])


def test_an_executor_that_hears_nothing_ends_on_time_and_frees_its_slot(service: Service) -> None:
    """Its children, in a session of their own and deaf to TERM, end with it; the job beside it goes
    on elsewhere and has lost no attempt."""
    worker = service.worker(concurrency=2)
    beside = submit(items=300, item_ms=100)
    deaf = submit("hasty", fault="family")
    service.wait_until_said(deaf, "family.started")
    service.wait_until_over([deaf])
    assert service.job(deaf).error_code == "timeout"
    assert worker.exit_status() == RETIRED_STATUS
    assert worker.none_remain()
    released = service.job(beside)
    assert (released.status, released.attempts) == (State.QUEUED, 0)
    invariants.check([beside, deaf], ended=False)


# A worker with less patience for an interpreter that stands still.
FREEZES_SOON = """
from django.core.management import call_command
from jobs import worker
worker.FROZEN_AFTER_S = 2.0
call_command("worker", queue="io", concurrency=2)
"""


def test_a_worker_whose_interpreter_stands_still_says_where_and_ends(service: Service) -> None:
    """Longer runs that let go of it are none of its business."""
    worker = service.command("shell", "--no-imports", "--command", FREEZES_SOON)
    lively = submit(items=30, item_ms=100)
    service.wait_until_over([lively])
    frozen = submit(fault="frozen", until_attempt=1)
    assert worker.exit_status() == 1
    assert "Timeout" in worker.text
    assert "_hold_the_interpreter" in worker.text
    service.worker(concurrency=1)
    service.wait_until_said(frozen, "retry.scheduled")
    make_due()
    service.wait_until_over()
    invariants.check([lively, frozen])
    assert service.job(frozen).attempts == 2


def test_term_gives_back_what_cannot_finish_and_uses_up_no_attempt(service: Service) -> None:
    worker = service.worker(concurrency=3)
    listens = submit(items=600, item_ms=100)
    deaf = submit(fault="deaf", until_attempt=1)
    short = submit(items=20, item_ms=100)
    for job_id in (listens, deaf, short):
        service.wait_until_said(job_id, "item.start")
    worker.signal(signal.SIGTERM)
    waiting = submit()
    assert worker.exit_status() == 0
    states = {job.id: (job.status, job.attempts) for job in service.jobs.all()}
    assert states == {
        listens: (State.QUEUED, 0),
        deaf: (State.QUEUED, 0),
        short: (State.SUCCEEDED, 1),
        waiting: (State.QUEUED, 0),
    }
    invariants.check(states, ended=False)


def test_a_second_term_ends_the_worker_at_once(service: Service) -> None:
    worker = service.worker(concurrency=1)
    job_id = submit(items=600, item_ms=100)
    service.wait_until_started(job_id)
    worker.signal(signal.SIGTERM)
    worker.wait_for("worker_stopping")
    worker.signal(signal.SIGTERM)
    assert worker.exit_status() == 1
    assert service.job(job_id).status == State.RUNNING
    service.worker(concurrency=1)
    service.wait_until_said(job_id, "retry.scheduled")
    submission.cancel(service.job(job_id))
    service.wait_until_over()
    invariants.check([job_id])


def test_after_the_death_of_every_process_all_jobs_end_as_they_should(service: Service) -> None:
    whole = service.whole()
    jobs = [submit(items=5, item_ms=200, draws=True) for _ in range(10)]
    service.wait_until_said(jobs[-1], "job.queued")
    wait_until(lambda: Artifact.objects.count() >= 3, "the first artifacts", service.log)
    kill(whole)
    assert whole.none_remain()
    service.whole()
    wait_until(lambda: _all_over(service), "the end of the jobs", service.log)
    invariants.check(jobs)
    assert service.jobs.filter(status=State.SUCCEEDED).count() == 10
    assert Artifact.objects.count() == 50


def _all_over(service: Service) -> bool:
    make_due()
    return not service.jobs.filter(status__in=[State.QUEUED, State.RUNNING]).exists()
