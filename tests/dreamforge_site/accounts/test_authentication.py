from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import groups, keys, open_access
from dreamforge_site.accounts.models import User

from . import parallel
from .conftest import PASSWORD

FOREIGN = "https://evil.example"


@pytest.fixture
def open_access_on(settings: Settings, db: None) -> Settings:
    settings.AUTH_REQUIRED = False
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    settings.CORS_ALLOWED_ORIGIN_REGEXES = []
    return settings


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": "Basic cm9vdDpyb290"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": ""},
        {"Authorization": "Token x"},
        {"Authorization": "Bearer x y z"},
        {"X-API-Key": "nonsense"},
        {"X-API-Key": ""},
    ],
)
@pytest.mark.parametrize("auth_required", [True, False])
def test_wrong_credentials_are_401_even_where_none_are_needed(
    client: APIClient, open_access_on: Settings, header: dict[str, str], auth_required: bool
) -> None:
    open_access_on.AUTH_REQUIRED = auth_required
    answer = client.get("/v1/auth/me", headers=header)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_two_credentials_at_once_are_refused(client: APIClient, mira: User) -> None:
    text = keys.make(mira, "renders", ["read"]).revealed
    headers = {"Authorization": f"Bearer {text}", "X-API-Key": text}
    assert client.get("/v1/auth/me", headers=headers).status_code == 401


def test_the_scheme_is_read_in_any_case(client: APIClient, signed_in: dict[str, Any]) -> None:
    headers = {"Authorization": f"bEARER  {signed_in['token']}"}
    assert client.get("/v1/auth/me", headers=headers).status_code == 200


def csrf_client() -> Client:
    return Client(enforce_csrf_checks=True)


def test_a_session_reads_without_and_acts_only_with_a_csrf_token(root: User) -> None:
    browser = csrf_client()
    browser.force_login(root)
    assert browser.get("/v1/auth/me").status_code == 200
    refused = browser.post("/v1/probe")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    browser.get("/admin/")
    token = browser.cookies["csrftoken"].value
    allowed = browser.post("/v1/probe", {}, "application/json", headers={"X-CSRFToken": token})
    assert allowed.status_code == 200


def test_without_a_session_acting_is_401_not_403(db: None) -> None:
    assert csrf_client().post("/v1/probe").status_code == 401


def test_the_session_of_a_deactivated_user_is_over(root: User) -> None:
    browser = csrf_client()
    browser.force_login(root)
    User.objects.update(is_active=False)
    assert browser.get("/v1/auth/me").status_code == 401


def test_login_makes_no_session(mira: User) -> None:
    browser = csrf_client()
    answer = browser.post(
        "/v1/auth/login", {"username": "mira", "password": PASSWORD}, "application/json"
    )
    assert answer.status_code == 200
    assert "sessionid" not in browser.cookies


def test_with_open_access_everybody_here_is_the_default_user(
    client: APIClient, open_access_on: Settings
) -> None:
    answers = [client.get("/v1/auth/me"), client.post("/v1/probe")]
    assert [answer.status_code for answer in answers] == [200, 200]
    user = User.objects.get()
    assert answers[0].json() == {"id": str(user.pk), "username": "default", "is_admin": True}
    assert not user.has_usable_password()
    assert not user.is_superuser
    assert [group.name for group in user.groups.all()] == [groups.OPERATORS]


def test_credentials_win_over_open_access(
    client: APIClient, open_access_on: Settings, mira: User
) -> None:
    text = keys.make(mira, "renders", ["read"]).revealed
    answer = client.get("/v1/auth/me", headers={"X-API-Key": text})
    assert answer.json()["username"] == "mira"


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "", "unix:"])
def test_open_access_ends_at_this_machine(
    client: APIClient, open_access_on: Settings, address: str
) -> None:
    answer = client.get("/v1/auth/me", REMOTE_ADDR=address)
    assert answer.status_code == 403
    assert not User.objects.exists()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_open_access_knows_every_name_of_this_machine(
    client: APIClient, open_access_on: Settings, address: str
) -> None:
    assert client.get("/v1/auth/me", REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "https://app.example.org"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"}, 200),
        ({"Origin": FOREIGN}, 403),
        ({"Origin": "https://testserver"}, 403),
        ({"Origin": "http://testserver:8001"}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "https://app.example.org.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": FOREIGN, "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_drive_open_access(
    client: APIClient, open_access_on: Settings, headers: dict[str, str], status: int
) -> None:
    assert client.post("/v1/probe", headers=headers).status_code == status


def test_a_page_on_a_development_server_is_admitted_by_the_cors_pattern(
    client: APIClient, open_access_on: Settings
) -> None:
    open_access_on.CORS_ALLOWED_ORIGIN_REGEXES = [r"^https?://localhost(:\d+)?$"]
    origins = ("http://localhost:3000", "http://localhost:3000.evil.example")
    answers = [client.post("/v1/probe", headers={"Origin": origin}) for origin in origins]
    assert [answer.status_code for answer in answers] == [200, 403]


def test_open_access_respects_a_deactivated_default_user(
    client: APIClient, open_access_on: Settings
) -> None:
    open_access.user()
    User.objects.update(is_active=False)
    assert client.get("/v1/auth/me").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_racing_first_requests_make_one_default_user() -> None:
    results = parallel.run(open_access.user, times=8)
    assert [getattr(user, "username", user) for user in results] == ["default"] * 8
    assert User.objects.get().groups.count() == 1


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_a_reading_key_may_use_every_safe_method(
    with_key: Callable[..., APIClient], method: str
) -> None:
    assert with_key("read").generic(method.upper(), "/v1/probe/jobs").status_code == 200
