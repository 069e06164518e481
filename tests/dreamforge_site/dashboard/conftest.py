"""People who look at the overview, and a look that is not kept from another test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from dreamforge_site.dashboard import keeping
from tests.callers import staff


@pytest.fixture(autouse=True)
def fresh(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.MODELS_ROOT = tmp_path / "models"
    keeping.forget()
    yield
    keeping.forget()


@pytest.fixture
def operator(db: None) -> Client:
    return staff("operator", "operators")
