"""What a copy of the database or of the log gives away: no password, no token, no key."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import first_admin
from dreamforge_site.accounts.models import User

from .conftest import PASSWORD


def whole_database() -> str:
    return "\n".join(
        repr(row) for model in apps.get_models() for row in model._base_manager.values_list()
    )


def secrets_of_a_life(client: APIClient, settings: Settings) -> list[str]:
    """Sign in, renew, make keys here and in the admin; every secret that was handed out."""
    admin = first_admin.ensure()
    tokens: dict[str, Any] = client.post(
        "/v1/auth/login", {"username": "mira", "password": PASSWORD}
    ).json()
    renewed = client.post("/v1/auth/refresh", {"refresh": tokens["refresh"]}).json()
    headers = {"Authorization": f"Bearer {renewed['token']}"}
    made = client.post(
        "/v1/auth/keys", {"name": "renders", "scopes": ["read"]}, headers=headers
    ).json()
    browser = Client()
    browser.force_login(User.objects.get(username=admin.username))
    page = browser.post("/admin/accounts/apikey/add/", new_key(admin.username))
    shown = page.context["api_key"].revealed
    client.get("/v1/auth/me", headers={"X-API-Key": shown})
    client.post("/v1/auth/login", {"username": "mira", "password": "a wrong guess"})
    keys = [made["key"].split("_", 2)[2], shown.split("_", 2)[2]]
    bearer = [tokens["token"], tokens["refresh"], renewed["token"], renewed["refresh"]]
    return [PASSWORD, "a wrong guess", admin.password or "", *bearer, *keys, settings.SECRET_KEY]


def new_key(owner: str) -> dict[str, Any]:
    user = User.objects.get(username=owner)
    return {"owner": str(user.pk), "name": "by hand", "scopes": ["read"], "expires_at_0": ""}


def test_no_secret_is_in_the_database_or_the_log(
    client: APIClient, mira: User, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = secrets_of_a_life(client, settings)
    written = capsys.readouterr()
    kept = whole_database() + written.out + written.err
    assert "by hand" in kept
    assert "renders" in kept
    assert len(secrets) == len(set(filter(None, secrets))) == 10
    assert [secret for secret in secrets if secret in kept] == []
