"""Workers, operators and the sweep pull at the same jobs in any order hypothesis thinks of."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from jobs import claims, events, execution, lifecycle, submission
from jobs.errors import Failure, InvalidState
from jobs.events import Note
from jobs.lifecycle import Lease
from jobs.models import Event, Job
from jobs.states import TERMINAL, State

TYPES = ("selftest",)
LOST = Failure("worker_lost", "The worker is gone.")
WRONG = Failure("invalid_model", "The model is gone.")


class Pulling(RuleBasedStateMachine):
    """`held` is what should be true: the one lease of each running job that may still write."""

    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        Job.objects.all().delete()
        self.held: dict[uuid.UUID, Lease] = {}
        self.ended: dict[uuid.UUID, str] = {}
        self.order: list[uuid.UUID] = []  # draws go by number: ids differ from run to run

    @rule(priority=st.integers(-2, 2))
    def submit(self, priority: int) -> None:
        self.order.append(submission.submit("selftest", {}, None, priority=priority).id)

    @rule(target=leases, worker=st.sampled_from("abc"))
    def claim(self, worker: str) -> Lease | None:
        best = Job.objects.filter(status=State.QUEUED).order_by("-priority").first()
        lease = claims.next_lease("io", worker, TYPES)
        assert (lease is None) is (best is None)
        if lease is not None and best is not None:
            assert Job.objects.get(id=lease.job_id).priority == best.priority
            self.held[lease.job_id] = lease
        return lease

    @rule(lease=leases)
    def beat(self, lease: Lease | None) -> None:
        if lease:
            assert lifecycle.beat(lease) is self.holds(lease)

    @rule(lease=leases, count=st.integers(0, 3))
    def speak(self, lease: Lease | None, count: int) -> None:
        if lease:
            notes = [Note("progress")] * count
            written = events.append_as_holder(lease.job_id, lease.claim, notes)
            assert written is self.holds(lease)

    @rule(lease=leases)
    def succeed(self, lease: Lease | None) -> None:
        self.move(lease, lifecycle.succeed)

    @rule(lease=leases, dead=st.booleans())
    def fail(self, lease: Lease | None, dead: bool) -> None:
        self.move(lease, lambda held: lifecycle.fail(held, WRONG, dead=dead))

    @rule(lease=leases)
    def finish_cancel(self, lease: Lease | None) -> None:
        self.move(lease, lifecycle.cancel_running)

    @rule(lease=leases)
    def give_back(self, lease: Lease | None) -> None:
        self.move(lease, lambda held: lifecycle.give_back(held, "Shutting down."))

    @rule(lease=leases)
    def retry(self, lease: Lease | None) -> None:
        if lease and not self.may_start_again(lease.job_id):
            return
        self.move(lease, lambda held: lifecycle.retry_later(held, LOST, 0.0))

    @rule(data=st.data())
    def worker_vanishes(self, data: st.DataObject) -> None:
        """The sweep ends the attempt of a worker that may yet come back and try to write."""
        if not self.held:
            return
        lease = self.held.pop(
            data.draw(st.sampled_from(sorted(self.held.values(), key=str))).job_id
        )
        execution.abandon(Job.objects.get(id=lease.job_id), lease)
        Job.objects.filter(id=lease.job_id).update(available_at=timezone.now())

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if not self.order:
            return
        job = Job.objects.get(id=self.order[data.draw(st.integers(0, len(self.order) - 1))])
        if job.status in TERMINAL:
            with pytest.raises(InvalidState):
                submission.cancel(job)
        else:
            submission.cancel(job)

    @invariant()
    def what_ended_stays_ended(self) -> None:
        now = dict(Job.objects.filter(status__in=TERMINAL).values_list("id", "status"))
        assert {job_id: now.get(job_id) for job_id in self.ended} == self.ended
        self.ended = now

    @invariant()
    def no_job_is_lost(self) -> None:
        assert Job.objects.count() == len(self.order)

    @invariant()
    def only_the_held_run(self) -> None:
        running = Job.objects.filter(status=State.RUNNING).values_list("id", "claim")
        assert dict(running) == {job_id: lease.claim for job_id, lease in self.held.items()}

    @invariant()
    def histories_have_no_gap_and_one_end(self) -> None:
        for job in Job.objects.all():
            found = list(Event.objects.filter(job=job).values_list("seq", "code"))
            codes = [code for _, code in found]
            assert [seq for seq, _ in found] == list(range(1, job.last_seq + 1))
            assert codes.count("job.finish") == (1 if job.status in TERMINAL else 0)
            assert codes.count("job.start") == job.claim
            assert job.attempts <= job.max_attempts

    def teardown(self) -> None:
        """Whatever happened, working on ends every job."""
        for held in self.held.values():
            assert lifecycle.succeed(held)
        while lease := claims.next_lease("io", "last", TYPES):
            assert lifecycle.succeed(lease)
        assert not Job.objects.exclude(status__in=TERMINAL).exists()

    def holds(self, lease: Lease) -> bool:
        return self.held.get(lease.job_id) == lease

    def may_start_again(self, job_id: uuid.UUID) -> bool:
        job = Job.objects.get(id=job_id)
        return job.attempts < job.max_attempts

    def move(self, lease: Lease | None, make: Any) -> None:
        if lease:
            expected = self.holds(lease)
            assert make(lease) is expected
            if expected:
                del self.held[lease.job_id]


@pytest.mark.django_db
def test_any_order_of_events_keeps_every_job_and_ends_it_once() -> None:
    run_state_machine_as_test(
        Pulling,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
