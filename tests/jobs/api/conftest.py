"""Callers of the API, and jobs of theirs in every state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from jobs import kinds, lifecycle, submission
from jobs.errors import Failure
from jobs.models import Job
from jobs.states import State
from tests.jobs.api.kinds import TABLE

SCOPES = ("read", "jobs", "admin")


@pytest.fixture(autouse=True)
def signing_in_is_needed(settings: Settings) -> None:
    settings.AUTH_REQUIRED = True


@pytest.fixture
def letters(settings: Settings) -> Iterator[None]:
    """The job types of kinds.py, beside the engine's own."""
    settings.JOB_TYPES = [*settings.JOB_TYPES, *TABLE]
    kinds.table.cache_clear()
    yield
    kinds.table.cache_clear()


@pytest.fixture
def mira(db: None) -> User:
    return User.objects.create_user("mira")


@pytest.fixture
def otto(db: None) -> User:
    return User.objects.create_user("otto")


@pytest.fixture
def keeper(db: None) -> User:
    user = User.objects.create_user("keeper", is_staff=True)
    user.groups.set(Group.objects.filter(name="operators"))
    return user


@pytest.fixture
def viewer(db: None) -> User:
    user = User.objects.create_user("viewer", is_staff=True)
    user.groups.set(Group.objects.filter(name="viewers"))
    return user


def client_of(user: User, *scopes: str) -> APIClient:
    key = keys.make(user, "test", scopes or SCOPES)
    return APIClient(headers={"X-API-Key": key.revealed})


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
    job = submission.submit("selftest", params, owner)
    TO[state](job)
    return Job.objects.get(id=job.pk)
