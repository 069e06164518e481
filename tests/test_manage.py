"""The command line's last line of defence: what goes wrong is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from dreamforge_site.environment import BASE_DIR
from tests.command_line import manage
from tests.services.postgres import PostgresServer

pytestmark = pytest.mark.pure


def test_missing_tables_on_postgresql_are_one_line_too(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    url = postgres_server.create_database("without_tables")
    done = manage(tmp_path, "apikey_list", DF_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        'apikey_list: relation "accounts_apikey" does not exist; run `manage.py migrate`\n'
    )


def test_missing_tables_are_one_line_that_says_what_to_run(tmp_path: Path) -> None:
    done = manage(tmp_path, "apikey_list")
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("apikey_list: no such table")
    assert line.endswith("run `manage.py migrate`")


def test_a_database_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'absent' / 'forge.sqlite3'}"
    done = manage(tmp_path, "apikey_list", DF_DATABASE_URL=url)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line == (
        "apikey_list: unable to open database file; check DF_DATABASE_URL and free space"
    )


def options() -> dict[str, set[str]]:
    """Of our own commands."""
    rooms = ("dreamforge_site", "registry", "jobs", "downloader")
    paths = [path for room in rooms for path in (BASE_DIR / room).rglob("commands/[a-z]*.py")]
    ours = {path.stem for path in paths}
    made = {
        name: load_command_class(app, name).create_parser("manage.py", name)
        for name, app in get_commands().items()
        if name in ours
    }
    return {
        name: {text for action in parser._actions for text in action.option_strings}
        for name, parser in made.items()
    }


def test_json_is_asked_for_by_one_word_whatever_the_command() -> None:
    known = options()
    lists = {name for name, words in known.items() if "--output" in words}
    assert lists == {"job_list", "model_list", "queue_list"}
    assert [name for name in lists if "--json" not in known[name]] == []
