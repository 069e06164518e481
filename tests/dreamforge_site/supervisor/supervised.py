"""Processes under test: found by a marker in their environment, wherever they hide."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

MARKER = "DREAMFORGE_TEST_MARKER"
WITHIN_S = 60
POLL_S = 0.02

T = TypeVar("T")


class Supervised:
    """A command in a session of its own, with all it starts marked and its output collected."""

    def __init__(self, command: list[str], environment: dict[str, str], cwd: Path) -> None:
        self.marker = uuid.uuid4().hex
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**environment, MARKER: self.marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, *parts: str, after: int = 0) -> str:
        """The first line from `after` on that holds all parts."""

        def found() -> str:
            no_more_will_come = not self._reader.is_alive()
            matches = (line for line in self.lines[after:] if all(part in line for part in parts))
            line = next(matches, "")
            if no_more_will_come and not line:
                raise AssertionError(f"it ended without a line with {parts}:\n{self.text}")
            return line

        return wait_until(found, f"a line with {parts}", lambda: self.text)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def interrupt_as_a_terminal_does(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def exit_status(self) -> int:
        return self.process.wait(timeout=WITHIN_S)

    def remaining(self) -> list[int]:
        """Every living process that carries the marker."""
        return marked(self.marker)

    def none_remain(self) -> bool:
        wait_until(lambda: not self.remaining(), "the end of all processes", self._named)
        return True

    def _named(self) -> str:
        return f"{[_name(pid) for pid in self.remaining()]}\n{self.text}"

    def destroy(self) -> None:
        """Whatever the test did, nothing stays."""
        for pid in self.remaining():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(timeout=WITHIN_S)
        self._reader.join(timeout=WITHIN_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_until(ask: Callable[[], T], what: str, context: Callable[[], str] = lambda: "") -> T:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(POLL_S)
    raise AssertionError(f"waited in vain for {what}:\n{context()}")


def marked(marker: str) -> list[int]:
    wanted = f"{MARKER}={marker}".encode()
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and wanted in _environment(entry)
    ]


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return str(pid)
