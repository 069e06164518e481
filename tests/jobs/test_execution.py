"""However a job's own code ends, the attempt ends in one move, and says why."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from jobs import artifacts, claims, execution, lifecycle, submission
from jobs.artifacts import Drawn
from jobs.errors import CancelRequested, DeadlinePassed, Interrupted, LeaseLost
from jobs.kinds import names_for
from jobs.models import Artifact, Event, Job, Step
from jobs.run import Run
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import make_due, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("trial_kinds")]


def begin(job_id: uuid.UUID) -> Run:
    make_due()
    lease = claims.next_lease("io", "a worker", names_for("io"))
    assert lease is not None
    assert lease.job_id == job_id
    run = execution.prepare(lease)
    assert run is not None
    return run


def attempt(kind: str = "trial", **params: Any) -> tuple[str, Job]:
    job_id = submit(kind, **params)
    ending = execution.execute(begin(job_id))
    invariants.check([job_id], ended=False)
    return ending, Job.objects.get(id=job_id)


@pytest.mark.parametrize(
    ("fault", "code"), [("memory", "oom"), ("raise", "internal"), ("leave", "internal")]
)
def test_what_the_code_raises_fails_the_job_for_good(fault: str, code: str) -> None:
    ending, job = attempt(fault=fault)
    assert (ending, job.status, job.error_code) == (code, State.FAILED, code)
    assert job.dead_at is None


@pytest.mark.parametrize(
    ("fault", "code"), [("storage", "storage_error"), ("connection", "provider_error")]
)
def test_what_may_pass_is_tried_again_and_then_dead(fault: str, code: str) -> None:
    ending, job = attempt(fault=fault)
    assert (ending, job.status, job.error_code) == ("retry", State.QUEUED, code)
    endings = [execution.execute(begin(job.id)) for _ in range(2)]
    job.refresh_from_db()
    assert (endings, job.status, job.attempts) == (["retry", code], State.FAILED, 3)
    assert job.dead_at is not None
    invariants.check([job.id])


def test_a_job_that_succeeds_at_last_shows_no_error() -> None:
    _, job = attempt(fault="storage", until_attempt=1)
    assert execution.execute(begin(job.id)) == "succeeded"
    invariants.check([job.id])


def test_words_no_database_can_keep_cost_no_attempt() -> None:
    ending, job = attempt(fault="nonsense")
    assert ending == "succeeded"
    said = Event.objects.get(job=job, code="note")
    assert said.message == "NUL \ufffd, half a character ?"
    assert said.payload["number"] is None
    assert "object" in said.payload["thing"]


def test_an_error_no_database_can_keep_is_still_told() -> None:
    _, job = attempt(fault="raise")
    assert "a NUL \ufffd and half a character ?" in job.error_detail


def test_parameters_that_the_type_no_longer_understands_fail_the_job() -> None:
    job_id = submit()
    Job.objects.update(params={})
    lease = claims.next_lease("io", "a worker", names_for("io"))
    assert lease is not None
    assert execution.prepare(lease) is None
    job = Job.objects.get()
    assert (job.status, job.error_code) == (State.FAILED, "internal")
    assert "KeyError" in job.error_detail
    invariants.check([job_id])


@pytest.mark.parametrize(
    ("reason", "ending", "status"),
    [
        (CancelRequested, "canceled", State.CANCELED),
        (Interrupted, "released", State.QUEUED),
        (DeadlinePassed, "timeout", State.FAILED),
    ],
)
def test_a_run_that_is_asked_to_stop_ends_accordingly(
    reason: Any, ending: str, status: State
) -> None:
    run = begin(submit(items=2, item_ms=60_000))
    run.stop_with(reason)
    assert execution.execute(run) == ending
    job = Job.objects.get()
    assert job.status == status
    invariants.check([job.id], ended=False)


def test_a_run_past_its_deadline_ends_with_a_timeout() -> None:
    run = begin(submit(items=2, item_ms=60_000))
    run.deadline = 0.0
    assert execution.execute(run) == "timeout"
    assert Job.objects.get().error_code == "timeout"
    invariants.check()


def test_a_shutdown_throws_no_finished_work_away(monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(submit())
    monkeypatch.setattr(run, "check", lambda: None)  # an executor that works to its end
    run.stop_with(Interrupted)
    assert execution.execute(run) == "succeeded"


@pytest.mark.parametrize("reason", [CancelRequested, Interrupted, DeadlinePassed])
def test_who_was_ended_from_outside_can_write_nothing_more(reason: Any) -> None:
    run = begin(submit(items=3, draws=True))
    run.stop_with(reason)
    execution.end_in_its_stead(run)
    with pytest.raises(LeaseLost):
        run.log("a last word", level="error")
    told = Event.objects.count()
    assert execution.execute(run) == "lease_lost"
    assert Event.objects.count() == told
    assert not Artifact.objects.exists()
    invariants.check(ended=False)


def test_a_job_given_back_while_a_cancel_waits_is_canceled() -> None:
    run = begin(submit(items=2, item_ms=60_000))
    submission.cancel(Job.objects.get())
    run.stop_with(Interrupted)
    execution.execute(run)
    assert Job.objects.get().status == State.CANCELED
    invariants.check()


def test_a_retry_while_a_cancel_waits_is_canceled() -> None:
    run = begin(submit(fault="storage"))
    submission.cancel(Job.objects.get())
    execution.execute(run)
    assert Job.objects.get().status == State.CANCELED
    invariants.check()


def test_an_artifact_of_an_attempt_before_is_replaced_not_doubled() -> None:
    first = begin(submit(items=2, draws=True, fault="storage", at=1, until_attempt=1))
    assert execution.execute(first) == "retry"
    old = Artifact.objects.get()
    again = begin(first.job_id)
    with again.step("run") as step:
        assert again.finished_items(step) == {0}
    from tests.jobs.kinds import _draw

    with again.step("run"):
        _draw(again, 0)
        _draw(again, 1)
    new = Artifact.objects.get(item_index=0)
    assert new.id == old.id
    assert new.s3_key != old.s3_key
    assert Artifact.objects.count() == 2
    assert lifecycle.succeed(again.lease)
    invariants.check()


def test_who_lost_the_lease_records_no_artifact() -> None:
    run = begin(submit(draws=True))
    drawn = Drawn("key", "png", "image/png", 8, 8, 1, "0" * 64, 1)
    step = Step.objects.get()
    assert lifecycle.give_back(run.lease, "for another")
    assert not artifacts.record(run.lease, step.id, 0, drawn)
    assert not Artifact.objects.exists()
    invariants.check(ended=False)
