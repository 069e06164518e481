"""The user whom DF_AUTH=off lets everybody be, and what it must not become."""

from __future__ import annotations

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import keys, open_access, sign_ins
from dreamforge_site.accounts.errors import UnauthenticatedError
from dreamforge_site.accounts.models import ApiKey, User

from .conftest import PASSWORD, browser_of


@pytest.fixture
def open_mode(settings: Settings, db: None) -> Settings:
    settings.AUTH_REQUIRED = False
    return settings


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
@pytest.mark.parametrize("value", ["192.0.2.1", "127.0.0.1", ""])
def test_the_open_mode_serves_nobody_through_a_proxy(
    client: APIClient, open_mode: Settings, header: str, value: str
) -> None:
    answer = client.get("/v1/auth/me", headers={header: value})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "proxy" in answer.json()["message"]
    assert not User.objects.exists()


def test_with_credentials_a_proxy_is_welcome(
    client: APIClient, open_mode: Settings, mira: User
) -> None:
    key = keys.make(mira, "renders", ["read"]).revealed
    headers = {"X-API-Key": key, "X-Forwarded-For": "192.0.2.1"}
    assert client.get("/v1/auth/me", headers=headers).status_code == 200


def test_the_open_mode_makes_no_keys(client: APIClient, open_mode: Settings) -> None:
    answer = client.post("/v1/auth/keys", {"name": "keep", "scopes": ["read"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "DF_AUTH=off" in answer.json()["message"]
    assert not ApiKey.objects.exists()


def test_what_the_open_user_holds_ends_with_the_open_mode(
    client: APIClient, open_mode: Settings
) -> None:
    user = open_access.user()
    user.set_password(PASSWORD)
    user.save()
    key, pair = keys.make(user, "keep", ["read"]).revealed, sign_ins.begin(user)
    browser = browser_of(user)
    assert keys.verify(key).owner == sign_ins.caller(pair.access) == user
    assert browser.get("/admin/").status_code == 200
    open_mode.AUTH_REQUIRED = True
    with pytest.raises(UnauthenticatedError, match="DF_AUTH=off"):
        keys.verify(key)
    with pytest.raises(UnauthenticatedError):
        sign_ins.caller(pair.access)
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(pair.refresh)
    login = client.post("/v1/auth/login", {"username": "default", "password": PASSWORD})
    assert (login.status_code, browser.get("/admin/").status_code) == (401, 302)
