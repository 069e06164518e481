"""The processes that a run's thread has started, and all that come from those (Linux keeps the
children of each thread apart, so that the neighbours' are never touched)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def kill(thread_id: int) -> int:
    """SIGKILL to all that this process's thread has started; how many there were. Each is stopped
    before its children are read, so that it starts none behind our back."""
    found = _children(PROC / "self" / "task" / str(thread_id))
    for pid in found:  # grows while it is walked
        _signal(pid, signal.SIGSTOP)
        found.extend(_below(pid))
    for pid in found:
        _signal(pid, signal.SIGKILL)
    return len(found)


def _below(pid: int) -> Iterable[int]:
    with suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            yield from _children(thread)


def _children(thread: Path) -> list[int]:
    """None where the thread is gone, or the kernel does not tell."""
    try:
        return [int(pid) for pid in (thread / "children").read_bytes().split()]
    except OSError:
        return []


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
