"""What every test stands on: a database that is a file or a server, as in production."""

from __future__ import annotations

import pytest
from django.db import connections

from tests import environment


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite's test database is a file: threads and processes share it, with the real pragmas."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"].endswith("sqlite3"):
        settings["TEST"]["NAME"] = str(environment.DATA_DIR / "test.sqlite3")
