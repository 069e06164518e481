"""`make demo`: every step is shown, and nothing is left running however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image

from dreamforge_site.environment import BASE_DIR
from tests import environment

pytestmark = [pytest.mark.pure, pytest.mark.live]

WITHIN_S = 150
THE_END = "^C ends it all."


def command(*variables: str) -> str:
    """What the target runs, without the installing before it."""
    run = ["make", "--no-print-directory", "-n", "demo", *variables]
    # A make around the tests must not hand down its own flags and variables.
    outside = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    told = subprocess.run(
        run, cwd=BASE_DIR, env=outside, capture_output=True, text=True, check=True
    )
    return told.stdout.splitlines()[-1]


@contextmanager
def demo(data_dir: Path, *variables: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["bash", "-c", command(*variables)],
        cwd=BASE_DIR,
        env=environment.clean() | {"DF_DATA_DIR": str(data_dir), **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.communicate()


def running_over(data_dir: Path) -> list[str]:
    """Processes that were started for this folder."""
    mark = f"DF_DATA_DIR={data_dir}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def test_the_whole_way_is_shown_and_ends_with_an_image(tmp_path: Path) -> None:
    with demo(tmp_path, "ONCE=1") as process:
        said, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, said
    assert [line[0] for line in said.splitlines() if line[1:3] == ". "] == list("1234567")
    assert str(tmp_path / "lighthouse.png") in said
    with Image.open(tmp_path / "lighthouse.png") as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (512, 512))
        assert len(image.convert("RGB").getcolors(512 * 512) or ()) > 16
        assert image.info["parameters"].startswith("a lighthouse in a storm")
    assert running_over(tmp_path) == []


def test_without_once_the_service_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert process.stdout
        said = next((line for line in process.stdout if line.rstrip().endswith(THE_END)), "")
        assert said
        assert len(running_over(tmp_path)) > 4
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 130, rest
    assert running_over(tmp_path) == []


def test_a_start_that_fails_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with demo(tmp_path, "ONCE=1", PORT=port) as process:
            said, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    assert "The demo failed: the service ended with 1" in said
    assert port in said
    assert running_over(tmp_path) == []
