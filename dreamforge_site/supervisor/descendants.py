"""The processes below this one, read from /proc: also those that made a session of their own."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
# Set for every child, inherited by all that come from it.
MARKER = "DREAMFORGE_SERVICE"


def below(pid: int) -> list[int]:
    """Every descendant of `pid`, children before grandchildren."""
    children = _children_by_parent()
    found = list(children[pid])
    for descendant in found:  # grows while it is walked
        found.extend(children[descendant])
    return found


def strays(own: Collection[int]) -> list[int]:
    """Orphans that came to this process, with all below them; `own` are the children it started."""
    orphans = [pid for pid in _children_by_parent()[os.getpid()] if pid not in own]
    return orphans + [pid for orphan in orphans for pid in below(orphan)]


def marked(value: str) -> list[int]:
    """Processes of this user whose environment carries the marker with this value."""
    wanted = f"{MARKER}={value}".encode()
    return [pid for pid in _pids() if pid != os.getpid() and wanted in _environment(pid)]


def kill(pids: Collection[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def signal_group(leader: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = defaultdict(list)
    for pid in _pids():
        parent = _parent(pid)
        if parent:
            children[parent].append(pid)
    return children


def _parent(pid: int) -> int:
    """The parent's id; 0 when the process has ended meanwhile or waits only to be reaped."""
    try:
        # pid (name) state parent …, and a name may hold spaces and brackets.
        state, parent = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state in (b"Z", b"X") else int(parent)


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
