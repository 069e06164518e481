"""Who holds something: a process that others can recognise as gone.

A process is told apart by its machine's boot, its process namespace (a container has its own), its
number and the tick it was started at. Only a process of the same boot and namespace can be judged;
of any other one knows nothing but whether it still gives a sign of life.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACE = Path("/proc/self/ns/pid")
DEAD_STATES = ("Z", "X", "x")


@dataclass(frozen=True)
class Process:
    """`place` is "" where the system has no way to tell: then nobody is ever judged gone."""

    place: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> Process:
        return cls(_place(), os.getpid(), _started(os.getpid()) or "")

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Process:
        return cls(str(data["place"]), int(data["pid"]), str(data["started"]))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def gone(self) -> bool:
        """Certainly ended. False means alive, or unknown."""
        if not self.place or self.place != _place():
            return False
        return _started(self.pid) != self.started and not _hidden(self.pid)

    def __str__(self) -> str:
        return f"process {self.pid}" if self.place == _place() else "a process of another machine"


def _place() -> str:
    try:
        return f"{BOOT.read_text().strip()}/{NAMESPACE.readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """The tick of its start; None if there is no such process, or only its remains."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in brackets, may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in DEAD_STATES else fields[19]


def _hidden(pid: int) -> bool:
    """It exists, but /proc does not show it to us (hidepid): then nothing is known of it."""
    if Path(f"/proc/{pid}").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
