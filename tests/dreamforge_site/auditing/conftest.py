"""One of everything that can be changed, and somebody who may."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from pytest_django import Settings

from downloader.hub.models import Repo, RepoFile
from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.models import Artifact
from jobs.states import State
from jobs.webhooks import endpoints
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import Outcome, WebhookDelivery
from tests.downloader.conftest import hub, models_root
from tests.downloader.hub.conftest import repo, synced, upstream
from tests.dreamforge_site.auditing.deeds import World
from tests.jobs.api.conftest import a_job
from tests.registry.conftest import a_model

__all__ = ["hub", "models_root", "repo", "synced", "upstream"]


@pytest.fixture
def world(synced: Repo, settings: Settings, tmp_path: Path) -> World:
    """Its disk is empty, so that what is done twice does the same twice."""
    settings.MODELS_ROOT = tmp_path / "empty"
    boss = User.objects.create_superuser("boss", password="a long enough one")
    endpoint = endpoints.create(boss, Hook("https://hooks.example.org/s3cret"))
    made = World(
        boss=boss,
        queued=submission.submit("selftest", {}, boss),
        dead=a_job(boss, "dead"),
        scanning=submission.submit("scan", {}, boss),
        scanned=a_job(boss, State.FAILED, type="scan"),
        image=an_image(boss),
        repo=moved_on(synced),
        file=RepoFile.objects.get(path="unet/model.safetensors"),
        model=a_model(),
        disabled=a_model("other", enable=False),
        webhook=endpoint,
        delivery=a_failed_delivery(boss, endpoint.url),
        key=keys.make(boss, "renders", ["read"]),
    )
    LogEntry.objects.all().delete()
    return made


def an_image(owner: User) -> Artifact:
    job = a_job(owner, State.SUCCEEDED)
    return Artifact.objects.create(
        job=job,
        step=job.steps.get(),
        item_index=0,
        s3_key=f"dreamforge/{job.pk}.png",
        format="png",
        content_type="image/png",
        width=64,
        height=64,
        seed=7,
        sha256="a" * 64,
        size_bytes=1,
    )


def moved_on(repo: Repo) -> Repo:
    """Its source has news."""
    Repo.objects.filter(pk=repo.pk).update(update_commit="d1" * 20)
    return Repo.objects.get(pk=repo.pk)


def a_failed_delivery(owner: User, url: str) -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        owner=owner,
        event="job.succeeded",
        url=url,
        target="https://hooks.example.org:443",
        status=Outcome.FAILED,
        finished_at=timezone.now(),
    )
