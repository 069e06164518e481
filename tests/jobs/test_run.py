"""What an executor says through its run: batched, fenced, and never lost on the way out."""

from __future__ import annotations

import time

import pytest

from jobs import claims, execution
from jobs import run as runs
from jobs.artifacts import Drawn
from jobs.errors import DeadlinePassed, LeaseLost
from jobs.models import Event, Job, Step
from jobs.run import Run
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Flushes only when told to, or at fifty lines."""
    monkeypatch.setattr(runs, "FLUSH_EVERY_S", 3600.0)
    submit("selftest", items=2)
    lease = claims.next_lease("io", "a worker", ["selftest"])
    assert lease is not None
    started = execution.prepare(lease)
    assert started is not None
    return started


def said() -> list[str]:
    codes = Event.objects.order_by("seq").values_list("code", flat=True)
    return [code for code in codes if not code.startswith("job.")]


def test_lines_are_kept_until_there_is_reason_to_write_them(run: Run) -> None:
    run.log("one")
    assert said() == []
    run.log("two", level="error")
    assert said() == ["one", "two"]


def test_fifty_lines_are_written_at_once(run: Run) -> None:
    for _ in range(runs.FLUSH_AT_NOTES):
        run.log("line")
    assert said() == ["line"] * runs.FLUSH_AT_NOTES


def test_a_check_writes_what_has_waited_long_enough(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.progress(0, "run", 0.5)
    monkeypatch.setattr(runs, "FLUSH_EVERY_S", 0.0)
    run.check()
    assert said() == ["progress"]
    assert Job.objects.get().progress == 0.25


def test_a_long_wait_does_not_keep_the_last_words(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.log("before the wait")
    monkeypatch.setattr(runs, "FLUSH_EVERY_S", 0.01)
    run.wait(0.05)
    assert said() == ["before the wait"]


def test_of_one_items_progress_between_two_writes_only_the_last_is_told(run: Run) -> None:
    for fraction in (0.1, 0.2, 0.3):
        run.progress(0, "run", fraction)
    run.progress(1, "run", 0.5)
    run.progress(0, "run", 0.6)
    run.flush()
    told = Event.objects.filter(code="progress").order_by("seq")
    assert [(event.item_index, event.payload["progress"]) for event in told] == [
        (0, 0.3),
        (1, 0.5),
        (0, 0.6),
    ]


def test_a_step_is_told_and_stored(run: Run) -> None:
    with run.step("run") as step:
        run.log("within")
    assert said() == ["step.start", "within", "step.finish"]
    stored = Step.objects.get(id=step.id)
    assert stored.status == State.SUCCEEDED
    assert stored.started_at is not None
    assert stored.finished_at is not None
    assert Event.objects.get(code="within").step == stored


def test_a_lost_lease_is_noticed_at_the_next_word_and_stays_lost(run: Run) -> None:
    Job.objects.update(claim=run.lease.claim + 1)
    with pytest.raises(LeaseLost):
        run.log("too late", level="error")
    with pytest.raises(LeaseLost):
        run.check()
    assert said() == []


def test_a_wait_ends_at_the_deadline(run: Run) -> None:
    run.deadline = time.monotonic() + 0.05
    with pytest.raises(DeadlinePassed):
        run.wait(3600)


def test_an_artifact_needs_a_step(run: Run) -> None:
    with pytest.raises(RuntimeError, match=r"run\.step"):
        run.artifact(0, Drawn("key", "png", "image/png", 8, 8, 1, "0" * 64, 1))


def test_all_of_it_is_one_history(run: Run) -> None:
    with run.step("run"):
        run.log("word")
    run.close()
    invariants.check(ended=False)
