"""The installation's key: made once, however many processes ask for it first."""

from __future__ import annotations

import errno
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from dreamforge_site import secret_key
from dreamforge_site.environment import EnvironmentProblems

pytestmark = pytest.mark.pure


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    first = secret_key.ensure(path)
    assert len(first) >= 50
    assert secret_key.ensure(path) == first


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "fewer than 50 characters"),
        (b"short\n", "fewer than 50 characters"),
        (b"\xff" * 64, "not UTF-8 text"),
        (b"x" * 70_000, "more than 64 KiB"),
    ],
)
def test_a_key_that_cannot_be_one_is_one_readable_line(
    content: bytes, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "secret_key"
    path.write_bytes(content)
    with pytest.raises(EnvironmentProblems) as caught:
        secret_key.ensure(path)
    (line,) = caught.value.lines
    assert line.startswith(f"DF_DATA_DIR: cannot use {path}: {why}; ")
    assert path.read_bytes() == content


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    secret_key.ensure(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_racing_processes_agree_on_one_key_and_leave_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        keys = set(pool.map(secret_key.ensure, [path] * 16))
    assert keys == {path.read_text()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret_key"]


def test_folder_that_cannot_be_made_is_one_readable_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentProblems) as caught:
        secret_key.ensure(tmp_path / "file" / "secret_key")
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith("DF_DATA_DIR: cannot keep")


def test_disk_that_takes_no_key_keeps_no_half_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dreamforge_site.secret_key.os.fsync", full)
    with pytest.raises(EnvironmentProblems):
        secret_key.ensure(tmp_path / "secret_key")
    assert list(tmp_path.iterdir()) == []
