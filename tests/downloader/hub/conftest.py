"""A repository upstream, and the hub that tracks it."""

from __future__ import annotations

import pytest

from downloader.hub import registering
from downloader.hub.models import Repo
from jobs import submission
from jobs.models import Job
from tests.downloader.conftest import run_next
from tests.hubs import Hub, models

WEIGHTS = models.sdxl_checkpoint(size=400_000, seed=1)
OTHER_WEIGHTS = models.sdxl_checkpoint(size=300_000, seed=2)
FILES = {
    "README.md": "# A model\n",
    "config.json": '{"model_type": "forge"}',
    "unet/config.json": '{"sample_size": 64}',
    "unet/model.safetensors": WEIGHTS,
    "vae/model.safetensors": OTHER_WEIGHTS,
    "old/weights.bin": b"\x80\x04pickle",
}
NAME = "forge/sketch"


@pytest.fixture
def upstream(hub: Hub, models_root: object) -> str:
    hub.huggingface.add(NAME, FILES)
    return NAME


@pytest.fixture
def repo(upstream: str, db: None) -> Repo:
    """Registered, and nothing more."""
    return registering.register(upstream)[0]


@pytest.fixture
def synced(repo: Repo) -> Repo:
    assert sync(repo).status == "succeeded"
    return registering.get(repo.pk)


def sync(repo: Repo, **params: object) -> Job:
    submission.submit("sync", {"repo_id": str(repo.pk), **params}, None)
    return run_next()


def mirror(repo: Repo, *paths: str, **params: object) -> Job:
    """Download `paths` of it, or all of it."""
    given = {"repo_id": str(repo.pk), **params}
    if paths:
        given["selection"] = [{"path": path} for path in paths]
    submission.submit("mirror", given, None)
    return run_next()
