"""The installation's key: made once, however many processes ask for it first."""

from __future__ import annotations

import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from dreamforge_site import secret_key

pytestmark = pytest.mark.pure


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret_key"
    first = secret_key.ensure(path)
    assert len(first) >= 50
    assert secret_key.ensure(path) == first


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
