"""Hubs on loopback, and an installation that downloads from them into a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from jobs import claims, execution, kinds, submission
from jobs.models import Job
from tests import hubs
from tests.hubs import Hub, models

CHECKPOINT = models.sdxl_checkpoint(size=3_000_000, seed=1)
REPO = "forge/xl"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hubs.running() as hub:
        yield hub


@pytest.fixture
def models_root(hub: Hub, settings: Settings, tmp_path: Path) -> Path:
    """What this installation downloads goes here, and comes from `hub`."""
    settings.MODELS_ROOT = tmp_path / "models"
    settings.DOWNLOAD_SOURCES = ("hf", "civitai")
    settings.DOWNLOAD_SOURCE_SETTINGS = {
        "hf": {"endpoint": hub.endpoint, "token": ""},
        "civitai": {"endpoint": hub.civitai_endpoint, "token": ""},
    }
    return Path(settings.MODELS_ROOT)


@pytest.fixture
def checkpoint(hub: Hub, models_root: Path) -> str:
    """A repository with one checkpoint and its card; the reference to it."""
    hub.huggingface.add(REPO, {"xl.safetensors": CHECKPOINT, "README.md": "# XL\n"})
    return f"hf:{REPO}"


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("operator")


def run_next(queue: str = "io") -> Job:
    """Do the next waiting job here and now, as a worker's slot would."""
    lease = claims.next_lease(queue, "a worker", list(kinds.names_for(queue)))
    assert lease is not None, "no job waits"
    run = execution.prepare(lease)
    assert run is not None
    execution.execute(run)
    return Job.objects.get(id=lease.job_id)


def downloaded(ref: str, owner: User | None = None, **params: object) -> Job:
    """A download job from its creation to its end."""
    submission.submit("download", {"ref": ref, **params}, owner)
    return run_next()
