"""What every test stands on: a database that is a file or a server, as in production."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.db import connections
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from tests import environment, small_disks

BCRYPT_ROUNDS = 4  # the lowest there is: a millisecond a password
# No test is refused because the machine is busy.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> None:
    settings.BCRYPT_ROUNDS = BCRYPT_ROUNDS


@pytest.fixture(scope="session", autouse=True)
def _files_on_demand() -> None:
    """Else each test's client looks through every static file first: a tenth of a second."""
    settings.WHITENOISE_AUTOREFRESH = True


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it again and again for garbage is a tenth of a
    run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite's test database is a file: threads and processes share it, with the real pragmas."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"].endswith("sqlite3"):
        settings["TEST"]["NAME"] = str(environment.DATA_DIR / "test.sqlite3")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system of so many KiB; asked again, the same one has another size."""
    with small_disks.small_disk(tmp_path / "small") as mounted:
        yield mounted


@pytest.fixture
def signing_in_is_needed(settings: Settings) -> None:
    settings.AUTH_REQUIRED = True


@pytest.fixture
def mira(db: None) -> User:
    """Somebody without any right."""
    return User.objects.create_user("mira")


@pytest.fixture
def otto(db: None) -> User:
    """Somebody else."""
    return User.objects.create_user("otto")
