"""The portal's scripts show a button by what the page told them; `/v1` must be of the same mind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from downloader import kinds as downloads
from dreamforge_site.accounts.groups import BUILT_IN, DOWNLOADERS
from dreamforge_site.accounts.models import User
from jobs import kinds
from jobs.models import Artifact, Job, Step
from tests.dreamforge_site.portal.test_shells import facts

pytestmark = pytest.mark.django_db

ROLES = ("nobody special", *BUILT_IN, "superuser")
STARTED_AT = {
    "generate": "/v1/jobs",
    "download": "/v1/models:download",
    "mirror": "/v1/downloads",
    "sync": "/v1/hub/sync",
    "verify": "/v1/models:verify",
}


@pytest.fixture(autouse=True)
def signing_in_is_needed(settings: Settings) -> None:
    settings.AUTH_REQUIRED = True


@pytest.fixture(params=ROLES)
def visitor(request: pytest.FixtureRequest, db: None) -> User:
    role = request.param
    if role == "superuser":
        return User.objects.create_superuser(role)
    user = User.objects.create_user(role, is_staff=role in BUILT_IN)
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.fixture
def browser(visitor: User) -> Client:
    client = Client()
    client.force_login(visitor)
    return client


@pytest.fixture
def told(browser: Client) -> dict[str, Any]:
    user: dict[str, Any] = facts(browser.get("/app/"))["user"]
    return user


def is_refused(browser: Client, path: str, body: Any = None, method: str = "post") -> bool:
    """Whether the answer is a 403; what it did is rolled back."""
    with transaction.atomic():
        call = getattr(browser, method)
        answer = call(path, body or {}, content_type="application/json")
        transaction.set_rollback(True)
    return bool(answer.status_code == 403)


def test_a_type_of_job_is_offered_to_whoever_may_start_it(
    browser: Client, told: dict[str, Any]
) -> None:
    closed = {
        name
        for name, path in STARTED_AT.items()
        if is_refused(browser, path, {"type": name} if path == "/v1/jobs" else None)
    }
    assert closed == STARTED_AT.keys() - set(told["may_start"])


def test_every_type_is_offered_to_whom_the_door_of_all_jobs_takes_it_from(
    browser: Client, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "parse", lambda _kind, given: dict(given))
    ordinary = [kind.name for kind in kinds.table().values() if kind.name != "generate"]
    closed = {name for name in ordinary if is_refused(browser, "/v1/jobs", {"type": name})}
    assert closed == set(ordinary) - set(told["may_start"])


def a_download(kind: str, status: str, owner: User) -> Job:
    return Job.objects.create(type=kind, queue="io", status=status, owner=owner, **_times(status))


def _times(status: str) -> dict[str, Any]:
    now = timezone.now()
    return {} if status == "queued" else {"started_at": now, "finished_at": now}


def may_act_on(told: dict[str, Any], owner_id: str) -> bool:
    """As session.js has it."""
    return bool(owner_id == told["id"] or told["may_act_for_others"])


def whose(visitor: User) -> tuple[User, User]:
    """Those own something; the other one may download, too."""
    other = User.objects.create_user("somebody else")
    other.groups.set(Group.objects.filter(name=DOWNLOADERS))
    return visitor, other


def test_a_download_is_stopped_by_whoever_is_shown_the_button(
    browser: Client, visitor: User, told: dict[str, Any]
) -> None:
    queued = [a_download("mirror", "queued", owner) for owner in whose(visitor)]
    shown = [browser.get(f"/v1/downloads/{job.pk}") for job in queued]
    seen = [one.json() for one in shown if one.status_code == 200]
    offered = [may_act_on(told, one["owner_id"]) for one in seen]
    refused = [is_refused(browser, f"/v1/downloads/{one['id']}/cancel") for one in seen]
    assert (len(seen), refused) == (2 if visitor.is_staff else 1, [not one for one in offered])


@pytest.mark.parametrize("kind", downloads.TYPES)
def test_a_download_is_started_again_by_whoever_is_shown_the_button(
    browser: Client, visitor: User, told: dict[str, Any], kind: str
) -> None:
    failed = [a_download(kind, "failed", owner) for owner in whose(visitor)]
    shown = [browser.get(f"/v1/downloads/{job.pk}") for job in failed]
    seen = [one.json() for one in shown if one.status_code == 200]
    offered = [may_act_on(told, one["owner_id"]) and kind in told["may_start"] for one in seen]
    refused = [is_refused(browser, f"/v1/downloads/{one['id']}/retry") for one in seen]
    assert (len(seen), refused) == (2 if visitor.is_staff else 1, [not one for one in offered])


def an_image(owner: User) -> Artifact:
    job = Job.objects.create(
        type="generate", queue="gpu", status="succeeded", owner=owner, **_times("succeeded")
    )
    step = Step.objects.create(job=job, name="generate", position=0, status="succeeded")
    return Artifact.objects.create(
        job=job,
        step=step,
        item_index=0,
        s3_key=f"{job.pk}.png",
        format="png",
        content_type="image/png",
        width=8,
        height=8,
        seed=1,
        sha256="00" * 32,
        size_bytes=1,
    )


def test_an_image_is_deleted_by_whoever_is_shown_the_button(
    browser: Client, visitor: User, told: dict[str, Any]
) -> None:
    made = [an_image(owner) for owner in whose(visitor)]
    seen = browser.get("/v1/artifacts").json()["artifacts"]
    offered = [may_act_on(told, one["owner_id"]) for one in seen]
    refused = [is_refused(browser, f"/v1/artifacts/{one['id']}", method="delete") for one in seen]
    assert refused == [not one for one in offered]
    assert len(seen) == (len(made) if visitor.is_staff else 1)


def test_drawing_is_stopped_by_whoever_is_shown_the_button(
    browser: Client, visitor: User, told: dict[str, Any]
) -> None:
    queued = [a_download("generate", "queued", owner) for owner in whose(visitor)]
    shown = [browser.get(f"/v1/jobs/{job.pk}") for job in queued]
    seen = [one.json() for one in shown if one.status_code == 200]
    offered = [may_act_on(told, one["owner_id"]) for one in seen]
    refused = [is_refused(browser, f"/v1/jobs/{one['id']}/cancel") for one in seen]
    assert (len(seen), refused) == (2 if visitor.is_staff else 1, [not one for one in offered])


EXPLORER: dict[str, Callable[[Client], bool]] = {
    "start": lambda browser: is_refused(browser, "/v1/downloads"),
    "look": lambda browser: is_refused(browser, "/v1/hf/parse-url", {"url": "acme/tiny"}),
}


def test_the_explorer_of_the_admin_offers_what_is_taken(browser: Client, visitor: User) -> None:
    page = browser.get("/admin/downloader/repo/explore/")
    offers = b'data-may-download="yes"' in page.content
    refused = {name for name, asked in EXPLORER.items() if asked(browser)}
    assert refused == (set() if offers else {"start"})
    assert page.status_code == (200 if visitor.is_staff else 302)
