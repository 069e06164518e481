"""Who may call what, walked from the map of addresses: a new route without an answer here fails."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.api.urls import urlpatterns
from jobs.models import Job
from jobs.states import State
from tests.callers import client_of
from tests.dreamforge_site.api.test_failures import assert_envelope

from .conftest import a_job

METHODS = ("get", "post", "put", "patch", "delete")


def routes() -> list[tuple[str, str]]:
    """Every method of every route about jobs and queues."""
    return [
        (method, str(pattern.pattern))
        for pattern in urlpatterns
        for method in METHODS
        if hasattr(pattern.callback.view_class, method)  # type: ignore[attr-defined]
    ]


ROUTES = routes()
ABOUT_A_JOB = [route for route in ROUTES if "job_id" in route[1]]
ACTING = [route for route in ROUTES if route[0] != "get"]
LOOKING = [route for route in ROUTES if route[0] == "get"]
FOR_STAFF = [route for route in ROUTES if route[1].startswith("queues")]


def call(api: APIClient, route: tuple[str, str], job_id: uuid.UUID | None = None) -> Any:
    method, pattern = route
    path = pattern.replace("<uuid:job_id>", str(job_id or uuid.uuid4()))
    return getattr(api, method)(f"/v1/{path.replace('<str:name>', 'io')}")


def test_the_walk_covers_what_there_is() -> None:
    assert len(ROUTES) >= 12
    assert len(ABOUT_A_JOB) >= 6
    assert len(FOR_STAFF) == 3


@pytest.mark.parametrize("route", ABOUT_A_JOB, ids=" ".join)
@pytest.mark.parametrize("state", [State.QUEUED, "dead"])
def test_somebody_elses_job_is_not_there(
    mira: User, otto: User, route: tuple[str, str], state: str
) -> None:
    job = a_job(mira, state)
    before = Job.objects.values().get()
    answer = call(client_of(otto), route, job.pk)
    assert_envelope(answer, 404, "not_found")
    assert Job.objects.values().get() == before
    unknown = call(client_of(otto), route)
    assert answer.json() | {"correlation_id": ""} == unknown.json() | {"correlation_id": ""}


def test_lists_and_bulk_actions_reach_only_ones_own(mira: User, otto: User) -> None:
    hers = a_job(mira, "dead")
    api = client_of(otto)
    listed = [api.get(f"/v1/jobs{query}").json()["jobs"] for query in ("", "?dead=true")]
    requeued = api.post("/v1/jobs:requeue-dead", {}).json()
    assert listed == [[], []]
    assert requeued == {"requeued": [], "refused": []}
    assert [job.pk for job in Job.objects.dead()] == [hers.pk]


def test_a_job_of_the_service_itself_is_for_staff(
    api: APIClient, staff_api: APIClient, db: None
) -> None:
    job = a_job(None)
    assert_envelope(api.get(f"/v1/jobs/{job.pk}"), 404, "not_found")
    assert staff_api.get(f"/v1/jobs/{job.pk}").status_code == 200


def test_staff_see_and_act_on_everybodys(staff_api: APIClient, mira: User) -> None:
    job = a_job(mira)
    assert len(staff_api.get("/v1/jobs").json()["jobs"]) == 1
    assert staff_api.post(f"/v1/jobs/{job.pk}/cancel").status_code == 202


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_stranger_is_asked_to_sign_in(db: None, route: tuple[str, str]) -> None:
    assert_envelope(call(APIClient(), route), 401, "unauthenticated")


@pytest.mark.parametrize("route", ACTING, ids=" ".join)
def test_a_key_for_reading_changes_nothing(mira: User, route: tuple[str, str]) -> None:
    job = a_job(mira, "dead")
    assert_envelope(call(client_of(mira, "read"), route, job.pk), 403, "forbidden")
    assert Job.objects.count() == 1


@pytest.mark.parametrize("route", LOOKING, ids=" ".join)
def test_a_key_without_reading_sees_nothing(keeper: User, route: tuple[str, str]) -> None:
    job = a_job(keeper)
    assert_envelope(call(client_of(keeper, "jobs", "admin"), route, job.pk), 403, "forbidden")


@pytest.mark.parametrize("route", LOOKING, ids=" ".join)
def test_a_key_for_reading_sees_everything_of_its_owner(
    keeper: User, route: tuple[str, str]
) -> None:
    job = a_job(keeper)
    assert call(client_of(keeper, "read"), route, job.pk).status_code == 200


@pytest.mark.parametrize("route", FOR_STAFF, ids=" ".join)
def test_queues_are_for_staff_with_a_key_for_it(
    mira: User, keeper: User, route: tuple[str, str]
) -> None:
    assert_envelope(call(client_of(mira), route), 403, "forbidden")
    assert call(client_of(keeper, "read", "admin"), route).status_code in (200, 204)


def test_a_key_for_jobs_does_not_touch_queues(keeper: User) -> None:
    answer = client_of(keeper, "read", "jobs").post("/v1/queues/io/pause", {})
    assert_envelope(answer, 403, "forbidden")


def test_a_key_for_jobs_is_no_way_around_the_scope_of_a_kind(
    db: None, django_user_model: Any
) -> None:
    keeper = django_user_model.objects.create_superuser("mighty")
    narrow, wide = client_of(keeper, "jobs"), client_of(keeper, "jobs", "models")
    body = {"type": "scan", "path": "acme"}
    assert_envelope(narrow.post("/v1/jobs", body), 403, "forbidden")
    assert not Job.objects.exists()
    job_id = wide.post("/v1/jobs", body).json()["job"]["id"]
    assert wide.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert_envelope(narrow.post(f"/v1/jobs/{job_id}/requeue", {}), 403, "forbidden")
    assert Job.objects.count() == 1


def test_a_key_for_jobs_runs_no_dead_letter_of_a_kind_beyond_it(
    db: None, django_user_model: Any
) -> None:
    keeper = django_user_model.objects.create_superuser("mighty")
    narrow, wide = client_of(keeper, "jobs"), client_of(keeper, "jobs", "models")
    scan = a_job(keeper, "dead", type="scan", path="acme")
    assert narrow.post("/v1/jobs:requeue-dead", {}).json() == {"requeued": [], "refused": []}
    named = narrow.post("/v1/jobs:requeue-dead", {"type": "scan"})
    assert_envelope(named, 403, "forbidden")
    assert [job.pk for job in Job.objects.dead()] == [scan.pk]
    assert len(wide.post("/v1/jobs:requeue-dead", {}).json()["requeued"]) == 1


def test_who_may_change_jobs_runs_no_dead_letter_of_a_kind_that_needs_more(
    mira: User, viewer: User, django_user_model: Any
) -> None:
    viewer.user_permissions.add(Permission.objects.get(codename="change_job"))
    a_job(django_user_model.objects.create_superuser("mighty"), "dead", type="scan", path="acme")
    images = a_job(mira, "dead")
    told = client_of(viewer).post("/v1/jobs:requeue-dead", {}).json()
    assert [entry["id"] for entry in told["requeued"]] == [str(images.pk)]


def test_any_signed_in_user_creates_jobs_of_an_open_type(mira: User) -> None:
    answer = client_of(mira, "jobs").post("/v1/jobs", {"type": "selftest"})
    assert answer.status_code == 202


def test_a_session_needs_the_csrf_token(mira: User) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(mira)
    assert_envelope(browser.post("/v1/jobs", {"type": "selftest"}), 403, "forbidden")
    assert not Job.objects.exists()


def test_who_only_looks_sees_everybodys_and_acts_on_nobodys(viewer: User, mira: User) -> None:
    looking = client_of(viewer)
    job = submission.submit("selftest", {}, mira)
    assert looking.get(f"/v1/jobs/{job.pk}").status_code == 200
    assert_envelope(looking.post(f"/v1/jobs/{job.pk}/cancel"), 403, "forbidden")
    assert_envelope(looking.post(f"/v1/jobs/{job.pk}/requeue"), 403, "forbidden")
    assert_envelope(looking.post("/v1/queues/io/pause"), 403, "forbidden")
    assert_envelope(looking.post("/v1/queues/io/resume"), 403, "forbidden")
    own = submission.submit("selftest", {}, viewer)
    assert looking.post(f"/v1/jobs/{own.pk}/cancel").status_code == 202
