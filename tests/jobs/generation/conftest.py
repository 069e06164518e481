"""A model in the registry, a runner that pretends, and jobs drawn here and now."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import claims, execution, submission
from jobs.generation import engines, keepers
from jobs.models import Job
from registry import catalog, parameters
from registry.descriptors import Descriptor, InstalledFile
from registry.models import Model
from tests.callers import client_of

SHA256 = "ab" * 32


@pytest.fixture(autouse=True)
def pretending(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.RUNNER = "fake"
    settings.RUN_DIR = tmp_path / "run"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "artifacts"},
        },
    }
    engines.chosen.cache_clear()
    yield
    keepers.close()
    engines.chosen.cache_clear()


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runners that are started from now on fail in this way."""

    def arrange(what: str) -> None:
        keepers.close()
        monkeypatch.setenv("DREAMFORGE_RUNNER_FAULT", what)

    return arrange


@pytest.fixture
def api(mira: User) -> APIClient:
    return client_of(mira)


@pytest.fixture
def model(db: None) -> Model:
    return a_model("forge")


def a_model(name: str, **more: Any) -> Model:
    kind = more.pop("kind", "sdxl-checkpoint")
    facts = {
        "id": uuid.uuid4(),
        "name": name,
        "kind": kind,
        "version": "1",
        "checkpoint_hash": f"sha256:{SHA256}",
        "source_uri": "hf:forge/xl@" + "c" * 40,
        "local_path": f"{kind}/{name}@1",
        "installed": True,
        "enabled": True,
        "parameters_schema": parameters.schema_for(kind),
        "capabilities": parameters.capabilities_for(kind),
        "files": (InstalledFile("xl.safetensors", SHA256, 10, "verified", None),),
        "provenance": {},
        **more,
    }
    return catalog.record(Descriptor(**facts), enable=facts["enabled"])


def asked(**params: Any) -> dict[str, Any]:
    return {"prompt": "a lighthouse", "width": 64, "height": 64, "steps": 2, **params}


def drawn(**params: Any) -> Job:
    """A job from its creation to its end."""
    submission.submit("generate", asked(**params), None)
    return draw_next()


def draw_next() -> Job:
    lease = claims.next_lease("gpu", "a worker", ["generate"])
    assert lease is not None, "no job waits"
    run = execution.prepare(lease, "0")
    assert run is not None
    execution.execute(run)
    return Job.objects.get(id=lease.job_id)
