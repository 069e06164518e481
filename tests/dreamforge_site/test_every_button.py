"""No link and no button leads to a refusal, for any of the built-in roles."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from downloader.hub.models import Repo, RepoFile, Snapshot
from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from dreamforge_site.dashboard import keeping
from tests.browser import seeding
from tests.dreamforge_site.crawling import Crawl

pytestmark = pytest.mark.django_db

STAFF = ("viewers", "downloaders", "operators", "superuser")


@pytest.fixture(autouse=True)
def a_busy_day(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.AUTH_REQUIRED = True
    settings.MODELS_ROOT = tmp_path / "models"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "artifacts"},
        },
    }
    keeping.forget()
    seeding.sow(jobs_of_the_day=1)
    _a_repository_with_files()


def _a_repository_with_files() -> None:
    repo = Repo.objects.create(author="forge", name="painter", revision="main", status="synced")
    snapshot = Snapshot.objects.create(
        repo=repo, commit="c0" * 20, file_count=1, done_count=1, taken_at=timezone.now()
    )
    RepoFile.objects.create(
        snapshot=snapshot, path="config.json", status="done", size_bytes=2, sha256="ab" * 32
    )
    Repo.objects.filter(pk=repo.pk).update(snapshot=snapshot, update_commit="d1" * 20)


def somebody(role: str) -> User:
    if role == "superuser":
        return User.objects.create_superuser(role)
    user = User.objects.create_user(role, is_staff=role in STAFF)
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.mark.parametrize("role", ["nobody special", *STAFF])
def test_no_link_and_no_button_leads_to_a_refusal(role: str) -> None:
    user = somebody(role)
    keys.make(user, "for a script", ("read",))
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    crawl = Crawl(browser)
    crawl.look(["/app/", "/admin/"] if user.is_staff else ["/app/"])
    crawl.press()
    assert crawl.problems == []
    assert (len(crawl.pages) > 60, len(crawl.presses) > 10) == (user.is_staff, user.is_staff)
