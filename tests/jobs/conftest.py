"""Fixtures of the engine's tests: misbehaving job types, real processes on the test's database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs import kinds
from tests.jobs.live_settings import TRIALS
from tests.jobs.service import Service


@pytest.fixture
def trial_kinds(settings: Settings) -> Iterator[None]:
    """The test's own job types, in this process too."""
    settings.JOB_TYPES = [*settings.JOB_TYPES, *TRIALS]
    kinds.table.cache_clear()
    yield
    kinds.table.cache_clear()


@pytest.fixture
def service(transactional_db: None, trial_kinds: None, tmp_path: Path) -> Iterator[Service]:
    """Processes to start; all are gone before the database is emptied."""
    started = Service(tmp_path)
    yield started
    started.close()
