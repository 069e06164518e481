"""Models of every kind and state, callers with different rights, and a models root to lie in."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from registry import catalog
from registry.descriptors import Descriptor, InstalledFile
from registry.models import Model
from registry.parameters import capabilities_for, schema_for
from tests.callers import member

HOSTILE = "<script>alert(1)</script>{{7*7}}' OR 1=1--"


def a_file(path: str = "model.safetensors", trust: str = "verified") -> InstalledFile:
    data = path.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    return InstalledFile(path, sha256, len(data), trust, f"sha256:{sha256}")


def described(
    name: str = "epic", kind: str = "sdxl-checkpoint", version: str = "1", **facts: Any
) -> Descriptor:
    """As an installation hands it over."""
    files = facts.pop("files", (a_file(),))
    return Descriptor(
        **{
            "id": uuid.uuid4(),
            "name": name,
            "kind": kind,
            "version": version,
            "checkpoint_hash": f"sha256:{files[0].sha256}" if files else None,
            "source_uri": f"hf:acme/{name}@{'a' * 40}",
            "local_path": f"{kind}/{name.replace('/', '_')}@{version}",
            "installed": True,
            "enabled": False,
            "parameters_schema": schema_for(kind),
            "capabilities": capabilities_for(kind),
            "files": files,
            "provenance": {"source": "hf", "repo": f"acme/{name}", "licence": "openrail++"},
            **facts,
        }
    )


def a_model(name: str = "epic", *, enable: bool | None = True, **facts: Any) -> Model:
    return catalog.record(described(name, **facts), enable=enable)


def on_disk(root: Path, descriptor: Descriptor) -> Descriptor:
    """The folder as an installation leaves it; each file holds its own path."""
    folder = root / descriptor.local_path
    for file in descriptor.files:
        folder.joinpath(file.path).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(file.path).write_bytes(file.path.encode())
    written = replace(descriptor, enabled=True).to_json()
    folder.joinpath("model.json").write_text(json.dumps(written))
    return descriptor


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    settings.MODELS_ROOT = folder
    return folder


@pytest.fixture
def operator(db: None) -> User:
    return member("operator", "operators")


@pytest.fixture
def viewer(db: None) -> User:
    return member("viewer", "viewers")
