"""Callers of the API, and jobs of theirs in every state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import kinds, lifecycle, submission
from jobs.errors import Failure
from jobs.models import Job
from jobs.states import State
from tests.callers import client_of, member
from tests.jobs.api.kinds import TABLE


@pytest.fixture(autouse=True)
def _signing_in(signing_in_is_needed: None) -> None:
    """In all of these tests."""


@pytest.fixture
def letters(settings: Settings) -> Iterator[None]:
    """The job types of kinds.py, beside the engine's own."""
    settings.JOB_TYPES = [*settings.JOB_TYPES, *TABLE]
    kinds.table.cache_clear()
    yield
    kinds.table.cache_clear()


@pytest.fixture
def keeper(db: None) -> User:
    return member("keeper", "operators")


@pytest.fixture
def viewer(db: None) -> User:
    return member("viewer", "viewers")


@pytest.fixture
def api(mira: User) -> APIClient:
    return client_of(mira)


@pytest.fixture
def staff_api(keeper: User) -> APIClient:
    return client_of(keeper)


def _run(job: Job) -> lifecycle.Lease:
    lease = lifecycle.start(job.pk, "a worker of the tests")
    assert lease is not None
    return lease


def _leave(_job: Job) -> None:
    """It stays queued."""


def _die(job: Job) -> None:
    lifecycle.fail(_run(job), Failure("worker_lost", "The worker is gone."), dead=True)


TO: dict[str, Callable[[Job], Any]] = {
    State.QUEUED: _leave,
    State.RUNNING: _run,
    State.SUCCEEDED: lambda job: lifecycle.succeed(_run(job)),
    State.FAILED: lambda job: lifecycle.fail(_run(job), Failure("oom", "Too large.")),
    State.CANCELED: submission.cancel,
    "dead": _die,
}


def a_job(owner: User | None, state: str = State.QUEUED, **params: Any) -> Job:
    """A job that came to `state` as jobs do."""
    job = submission.submit(params.pop("type", "selftest"), params, owner)
    TO[state](job)
    return Job.objects.get(id=job.pk)
