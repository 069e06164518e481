"""The environment of a test run, set before Django reads its settings (an early pytest plugin).

Nothing of the developer's own is used: inherited variables are dropped, `.env` is not read, all
data lives in a folder of this process that is gone afterwards. `DREAMFORGE_TEST_DATABASE=postgres`
runs the suite on a PostgreSQL server started for it; the processes of a parallel run share one.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from dreamforge_site.environment import DOTENV, known_names
from tests.services.postgres import PostgresServer

DATABASE_CHOICE = "DREAMFORGE_TEST_DATABASE"
SHARED_POSTGRES_URL = "DREAMFORGE_TEST_POSTGRES_URL"
DATABASES = ("sqlite", "postgres")
OURS = ("DF_", "DREAMFORGE_", "DJANGO_", "OTEL_", "PROMETHEUS_")
KEPT = "DREAMFORGE_TEST_"
BCRYPT_ROUNDS = "10"  # the lowest the settings take: 60 ms a password instead of 250


def clean() -> dict[str, str]:
    """This process's environment without a setting of ours: where a child process starts from."""
    known = known_names()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in known and (name.startswith(KEPT) or not name.startswith(OURS))
    }
    return inherited | {DOTENV: os.devnull}


def database() -> str:
    """The database this run is on: `sqlite` or `postgres`."""
    chosen = os.environ.get(DATABASE_CHOICE) or "sqlite"
    if chosen not in DATABASES:
        raise SystemExit(f"{DATABASE_CHOICE}: got {chosen!r}, takes {' or '.join(DATABASES)}")
    return chosen


def _prepare() -> Path:
    data_dir = Path(tempfile.mkdtemp(prefix="dreamforge-test-"))
    atexit.register(_remove, data_dir, os.getpid())
    settings = {
        "DF_DATA_DIR": str(data_dir),
        "DF_BCRYPT_ROUNDS": BCRYPT_ROUNDS,
        "DF_LOG_FORMAT": "json",
    }
    if database() == "postgres":
        settings["DF_DATABASE_URL"] = _postgres_url()
    fresh = clean() | settings
    os.environ.clear()
    os.environ.update(fresh)
    return data_dir


def _remove(data_dir: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(data_dir, ignore_errors=True)


def _postgres_url() -> str:
    if SHARED_POSTGRES_URL not in os.environ:
        server = PostgresServer()
        atexit.register(server.stop)
        server.start()
        os.environ[SHARED_POSTGRES_URL] = server.url()
    return os.environ[SHARED_POSTGRES_URL]


DATA_DIR = _prepare()
