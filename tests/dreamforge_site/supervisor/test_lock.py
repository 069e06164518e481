from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dreamforge_site.supervisor.errors import StartError
from dreamforge_site.supervisor.lock import Lock

pytestmark = pytest.mark.pure

HOLD = """
import sys, pathlib
from dreamforge_site.supervisor.lock import Lock
with Lock(pathlib.Path(sys.argv[1]), "http://127.0.0.1:8000"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_and_told_whom_it_met(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    path.parent.mkdir()
    with Lock(path, "http://127.0.0.1:8123"), pytest.raises(StartError) as refusal:
        Lock(path, "http://127.0.0.1:8124").__enter__()
    message = str(refusal.value)
    assert f"already runs on {tmp_path}" in message
    assert f"process {os.getpid()}, http://127.0.0.1:8123" in message
    assert "\n" not in message


def test_a_holder_that_has_not_signed_yet_is_refused_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path, "http://127.0.0.1:8123"):
        os.truncate(path, 0)
        with pytest.raises(StartError, match="already runs"):
            Lock(path, "").__enter__()


def test_the_lock_can_be_taken_again_after_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path, "first"):
        pass
    with Lock(path, "second"):
        assert json.loads(path.read_text())["url"] == "second"


def test_the_lock_dies_with_a_killed_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StartError, match=f"process {holder.pid}"):
            Lock(path, "").__enter__()
        holder.kill()
        holder.wait()
    with Lock(path, "next"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_link_in_the_lock_s_place_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    path = tmp_path / "lock"
    path.symlink_to(precious)
    with pytest.raises(StartError, match="it is a symbolic link; remove it") as refusal:
        Lock(path, "").__enter__()
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert precious.read_text() == "kept"


def test_a_folder_in_the_lock_s_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.mkdir()
    with pytest.raises(StartError, match="Is a directory"):
        Lock(path, "").__enter__()
