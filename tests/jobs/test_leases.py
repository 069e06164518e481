"""When a lease is over, whatever the clocks say (R15)."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from jobs import claims, leases, lifecycle
from jobs.errors import Failure
from jobs.lifecycle import Lease
from jobs.models import Job
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import submit

TYPES = ("selftest",)
HOUR = timedelta(hours=1)


class Clock:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lease(db: None, settings: Settings) -> Lease:
    settings.JOB_LEASE_S = 15.0
    return claimed("a worker elsewhere")


def claimed(holder: str) -> Lease:
    submit("selftest")
    lease = claims.next_lease("io", holder, TYPES)
    assert lease is not None
    return lease


def shift(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + by)


def test_a_lease_ends_after_its_holder_was_silent_for_its_length(lease: Lease) -> None:
    clock = Clock()
    watch = leases.Watch(clock)
    assert watch.lapsed() == []
    clock.now += 14
    assert watch.lapsed() == []
    clock.now += 1
    assert [job.id for job in watch.lapsed()] == [lease.job_id]


def test_a_beat_starts_the_lease_anew(lease: Lease) -> None:
    clock = Clock()
    watch = leases.Watch(clock)
    watch.lapsed()
    clock.now += 14
    assert lifecycle.beat(lease)
    assert watch.lapsed() == []
    clock.now += 14
    assert watch.lapsed() == []


def test_a_watcher_that_could_not_look_does_not_count_that_time(lease: Lease) -> None:
    """The database was away, or the watcher itself was stopped: the holder could show no life."""
    clock = Clock()
    watch = leases.Watch(clock)
    watch.lapsed()
    clock.now += 600
    assert watch.lapsed() == []
    clock.now += 14
    assert watch.lapsed() == []
    clock.now += 1
    assert len(watch.lapsed()) == 1


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["ahead", "back"])
def test_a_wall_clock_that_jumps_ends_no_lease_and_keeps_none_alive(
    lease: Lease, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    watch = leases.Watch(clock)
    watch.lapsed()
    shift(monkeypatch, jump)
    clock.now += 14
    assert watch.lapsed() == []
    assert lifecycle.beat(lease)
    assert watch.lapsed() == []
    clock.now += 14
    watch.lapsed()
    clock.now += 1
    assert [job.id for job in watch.lapsed()] == [lease.job_id]


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["ahead", "back"])
def test_a_job_written_under_another_clock_still_starts_and_ends(
    db: None, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Failure("worker_lost", "The worker is gone.")
    with monkeypatch.context() as elsewhere:
        shift(elsewhere, jump)
        assert lifecycle.retry_later(claimed("there"), lost, delay_s=2.0)
    again = claims.next_lease("io", "here", TYPES)
    assert again is not None
    assert lifecycle.succeed(again)
    invariants.check([again.job_id])


def test_sweeping_starts_a_lost_job_again_until_its_attempts_are_used_up(db: None) -> None:
    gone = f"{leases.new_holder('io').rpartition('/')[0].rpartition('/')[0]}/1/none"
    job_id = claimed(gone).job_id
    endings: list[str] = []
    for _ in range(3):
        endings += leases.sweep(leases.Watch()).values()
        Job.objects.update(available_at=timezone.now())
        claims.next_lease("io", gone, TYPES)
    assert endings == ["retry", "retry", "worker_lost"]
    job = Job.objects.get(id=job_id)
    assert (job.status, job.attempts) == (State.FAILED, 3)
    assert job.dead_at is not None
    invariants.check([job_id])


def test_a_lost_job_that_was_to_be_canceled_is_canceled(db: None) -> None:
    gone = f"{leases.new_holder('io').rpartition('/')[0].rpartition('/')[0]}/1/none"
    job_id = claimed(gone).job_id
    assert lifecycle.request_cancel(job_id)
    assert leases.sweep(leases.Watch()) == {str(job_id): "canceled"}
    invariants.check([job_id])


def test_this_process_is_not_gone() -> None:
    assert not leases.is_gone(leases.new_holder("io"))


def test_a_process_that_ended_is_gone() -> None:
    script = (
        "import django; django.setup(); from jobs import leases; print(leases.new_holder('io'))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "dreamforge_site.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert leases.is_gone(ended.stdout.strip())


def test_a_process_of_another_machine_is_never_called_gone() -> None:
    pid = leases.new_holder("io").partition("/")[2]
    assert not leases.is_gone(f"io@elsewhere:12345678:1/{pid}")
    assert not leases.is_gone(f"io@elsewhere:12345678:1/1/1/{uuid.uuid4().hex}")
    assert not leases.is_gone("a holder of no known form")
