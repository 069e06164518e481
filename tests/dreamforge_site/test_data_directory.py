"""The data directory: made for its owner alone, left as it is where somebody else made it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dreamforge_site import data_directory
from dreamforge_site.environment import EnvironmentProblems
from tests.command_line import manage
from tests.dreamforge_site.test_checks import PRODUCTION

pytestmark = pytest.mark.pure


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files_others_may_touch(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and mode(path) & 0o077]


@pytest.mark.parametrize("variables", [{}, PRODUCTION], ids=["development", "production"])
def test_a_first_migration_makes_it_and_nobody_else_may_look(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    data_dir = tmp_path / "deep" / "data"
    done = manage(data_dir, "migrate", "--verbosity=0", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert mode(data_dir) == 0o700
    assert mode(data_dir / "dreamforge.sqlite3") == 0o600


def test_a_directory_of_the_operators_keeps_its_mode_and_its_files_are_private(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    done = manage(tmp_path, "migrate", "--verbosity=0")
    assert done.returncode == 0
    assert mode(tmp_path) == 0o755
    assert (tmp_path / "dreamforge.sqlite3").stat().st_size > 0
    assert files_others_may_touch(tmp_path) == []


def test_what_sqlite_keeps_beside_the_database_is_private_too(tmp_path: Path) -> None:
    script = (
        "import os, django; django.setup(); from django.db import connection\n"
        "connection.cursor().execute('create table t (x)')\n"
        "for n in ('', '-wal', '-shm'):\n"
        "    path = f\"{connection.settings_dict['NAME']}{n}\"\n"
        "    print(oct(os.stat(path).st_mode & 0o777))\n"
    )
    done = manage(tmp_path, "shell", "--no-imports", "--command", script)
    assert done.stdout.split() == ["0o600"] * 3


@pytest.mark.parametrize("name", ["with space", "a?b", "a#b", "a%20b"])
def test_it_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert manage(tmp_path / name, "check", "--database=default").returncode == 0
    assert (tmp_path / name / "dreamforge.sqlite3").is_file()


def test_one_that_cannot_be_made_is_one_readable_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data_dir = tmp_path / "file" / "data"
    done = manage(data_dir, "check", **PRODUCTION)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"DF_DATA_DIR: cannot make {data_dir}: Not a directory")


def test_making_it_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data"
    data_directory.make(path)
    path.chmod(0o750)
    data_directory.make(path)
    assert mode(path) == 0o750


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(EnvironmentProblems, match="DF_DATA_DIR: cannot make"):
        data_directory.make(tmp_path / "data")


def test_a_private_file_that_stands_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    path.chmod(0o640)
    data_directory.make_file(path)
    assert (path.read_text(), mode(path)) == ("content", 0o640)
