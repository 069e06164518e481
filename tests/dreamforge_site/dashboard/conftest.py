"""People who look at the overview, and a look that is not kept from another test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from dreamforge_site.dashboard import keeping


@pytest.fixture(autouse=True)
def fresh(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.MODELS_ROOT = tmp_path / "models"
    keeping.forget()
    yield
    keeping.forget()


def staff(name: str, *groups: str, rights: tuple[str, ...] = ()) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def operator(db: None) -> Client:
    return staff("operator", "operators")
