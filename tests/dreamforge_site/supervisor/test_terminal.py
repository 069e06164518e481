"""The service on a terminal: what it looks like, and what happens when the window is closed."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dreamforge_site.environment import BASE_DIR
from tests.dreamforge_site.supervisor.conftest import service_environment
from tests.dreamforge_site.supervisor.supervised import MARKER, WITHIN_S, marked, wait_until

pytestmark = [pytest.mark.pure, pytest.mark.live]

READ_BYTES = 65_536


class Terminal:
    """A pseudo-terminal that controls the session of the service."""

    def __init__(self, data_dir: Path) -> None:
        self.marker = uuid.uuid4().hex
        self.shown = ""
        self.window, inside = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "manage.py", "dreamforge"],
            cwd=BASE_DIR,
            env={**service_environment(data_dir), MARKER: self.marker},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)

    def read_until(self, text: str) -> None:
        while text not in self.shown:
            self.shown += os.read(self.window, READ_BYTES).decode()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.process.kill()
    terminal.process.wait()
    wait_until(lambda: not marked(terminal.marker), "the end of all processes")


def test_lines_are_named_and_coloured_and_control_c_stops_all(terminal: Terminal) -> None:
    terminal.read_until("Stop       Ctrl-C")
    assert "\x1b[36mweb        | \x1b[0m" in terminal.shown
    terminal.read_until("\x1b[32mworker-io  | \x1b[0m")
    assert "Dream Forge is ready at" in terminal.shown
    assert not re.search(r'\{"', terminal.shown)
    os.write(terminal.window, b"\x03")
    assert terminal.process.wait(WITHIN_S) == 130
    assert marked(terminal.marker) == []
    os.close(terminal.window)


def test_a_closed_window_stops_the_service(terminal: Terminal) -> None:
    terminal.read_until("Stop       Ctrl-C")
    os.close(terminal.window)
    assert terminal.process.wait(WITHIN_S) == 0
    assert marked(terminal.marker) == []
