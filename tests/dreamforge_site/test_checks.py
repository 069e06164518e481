"""The checks at start: a database that would lose work stops it, a sound production passes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from dreamforge_site import checks, databases
from tests.command_line import manage

pytestmark = pytest.mark.pure

PRODUCTION = {
    "DF_ENV": "production",
    "DF_SECRET_KEY": "Zx7-" * 4 + "a long and varied key for this one test 0123456789",
    "DF_ALLOWED_HOSTS": "forge.example.org",
}


def test_the_suites_own_databases_pass() -> None:
    assert checks.database_settings() == []


def test_atomic_requests_are_an_error_with_the_alias_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    (found,) = checks.database_settings()
    assert found.id == "dreamforge.E001"
    assert found.msg.startswith("DATABASES['default']: ATOMIC_REQUESTS")


PROCESSES = [("web",), ("worker", "--queue=io"), ("scheduler",)]


@pytest.mark.parametrize("command", PROCESSES)
def test_a_process_alone_refuses_a_database_it_cannot_open(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "folder").mkdir()
    done = manage(tmp_path, *command, DF_DATABASE_URL=f"sqlite:///{tmp_path / 'folder'}")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("CommandError: dreamforge.E002: DATABASES['default']: cannot be opened")


@pytest.mark.parametrize("command", PROCESSES)
def test_a_process_alone_refuses_what_django_calls_an_error(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(settings, "CORS_ALLOWED_ORIGINS", ["forge.example.org"])
    with pytest.raises(CommandError, match=r"^corsheaders\.E013: .*forge\.example\.org"):
        call_command(*command)


def test_a_journal_that_did_not_become_wal_is_told(tmp_path: Path) -> None:
    entry = databases.parse(f"sqlite:///{tmp_path / 'forge.sqlite3'}", 8)
    assert databases.opening_faults(entry) == []
    with sqlite3.connect(tmp_path / "forge.sqlite3") as connection:
        assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    entry["OPTIONS"]["init_command"] = "PRAGMA synchronous=FULL;"
    [fault] = databases.opening_faults(entry)
    assert fault.startswith("journal_mode is 'delete' though WAL was asked for")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "forge.sqlite3"
    path.write_text("no database, but a text of some length" * 100)
    [fault] = databases.opening_faults(databases.parse(f"sqlite:///{path}", 8))
    assert fault.startswith("cannot be opened: file is not a database")


def test_a_postgresql_database_is_not_opened_by_the_check() -> None:
    entry = databases.parse("postgresql://me@127.0.0.1:1/forge", 8)
    assert databases.opening_faults(entry) == []


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
