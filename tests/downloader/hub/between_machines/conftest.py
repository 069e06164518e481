"""Two installations, and what travels from one to the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from downloader.hub import bundle_keys, registering
from downloader.hub.models import Repo
from registry.models import Model
from tests.downloader.conftest import downloaded
from tests.downloader.hub.between_machines.machines import MODEL, Machine, called
from tests.downloader.hub.conftest import NAME, mirror


@pytest.fixture
def far(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "far/models", "b" * 60, tmp_path / "far/keys.json")


@pytest.fixture(autouse=True)
def near(tmp_path: Path, settings: Settings, models_root: Path) -> Machine:
    machine = Machine(models_root, "a" * 60, tmp_path / "near-keys.json")
    machine.settle_in(settings)
    return machine


@pytest.fixture
def whole(synced: Repo) -> Repo:
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


@pytest.fixture
def model(checkpoint: str) -> Model:
    assert downloaded(checkpoint, name=MODEL).status == "succeeded"
    return Model.objects.get()


@pytest.fixture(params=["folder", "b.tar"])
def bundle(request: pytest.FixtureRequest, model: Model, whole: Repo, tmp_path: Path) -> Path:
    """With the model and the repository."""
    path = tmp_path / "usb" / str(request.param)
    called("hub_export", MODEL, NAME, "--to", path)
    return path


@pytest.fixture
def key(near: Machine) -> str:
    return bundle_keys.own_key().id
