"""What every test stands on: a database that is a file or a server, as in production."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connections

from tests import environment

BCRYPT_ROUNDS = 4  # the lowest there is: a millisecond a password


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> None:
    settings.BCRYPT_ROUNDS = BCRYPT_ROUNDS


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite's test database is a file: threads and processes share it, with the real pragmas."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"].endswith("sqlite3"):
        settings["TEST"]["NAME"] = str(environment.DATA_DIR / "test.sqlite3")
