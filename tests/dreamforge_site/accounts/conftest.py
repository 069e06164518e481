"""Users, callers and a clock for the tests of accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import clock, keys
from dreamforge_site.accounts.models import User

PASSWORD = "correct horse battery"
NEW_PASSWORD = "another horse battery"
PERMISSIONS = ("view", "add", "change", "delete")


class Clock:
    def __init__(self) -> None:
        self.moment = timezone.now()

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **delta: float) -> None:
        self.moment += timedelta(**delta)


@pytest.fixture(autouse=True)
def account_settings(settings: Settings) -> Settings:
    settings.ROOT_URLCONF = "tests.dreamforge_site.accounts.urls"
    settings.AUTH_REQUIRED = True
    return settings


@pytest.fixture
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fixed = Clock()
    monkeypatch.setattr(clock, "now", fixed)
    return fixed


@pytest.fixture
def mira(db: None) -> User:
    return User.objects.create_user("mira", password=PASSWORD)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def clerk(db: None) -> User:
    """Staff who may do anything to users and groups, and is no superuser."""
    kinds = [f"{verb}_{model}" for verb in PERMISSIONS for model in ("user", "group")]
    return staff("clerk", *kinds)


@pytest.fixture
def client() -> APIClient:
    return APIClient()


@pytest.fixture
def signed_in(client: APIClient, mira: User) -> dict[str, Any]:
    """What the login of `mira` answered."""
    answer = client.post("/v1/auth/login", {"username": "mira", "password": PASSWORD})
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.fixture
def with_key(mira: User) -> Callable[..., APIClient]:
    def make(*scopes: str, **headers: str) -> APIClient:
        key = keys.make(mira, "test", scopes)
        return APIClient(headers={"Authorization": f"Bearer {key.revealed}", **headers})

    return make


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def staff(name: str, *codenames: str) -> User:
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user
