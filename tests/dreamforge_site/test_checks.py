"""The checks at start: a database that would lose work stops it, a sound production passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from dreamforge_site import checks
from dreamforge_site.environment import BASE_DIR
from tests import environment

pytestmark = pytest.mark.pure

PRODUCTION = {
    "DF_ENV": "production",
    "DF_SECRET_KEY": "Zx7-" * 4 + "a long and varied key for this one test 0123456789",
    "DF_ALLOWED_HOSTS": "forge.example.org",
}


def manage(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env={**environment.clean(), "DF_DATA_DIR": str(data_dir), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_suites_own_databases_pass() -> None:
    assert checks.database_settings() == []


def test_atomic_requests_are_an_error_with_the_alias_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    (found,) = checks.database_settings()
    assert found.id == "dreamforge.E001"
    assert found.msg.startswith("DATABASES['default']: ATOMIC_REQUESTS")


def test_check_deploy_is_clean_in_production(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_a_wrong_environment_stops_with_its_lines_and_no_traceback(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", DF_PORT="many", DF_RUNER="fake")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "DF_RUNER: is not a variable of Dream Forge; did you mean DF_RUNNER?",
        "DF_PORT: got 'many', takes a port number from 1 to 65535",
    ]
