"""What a measurement ran on, and the CPU time that processes used."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def description() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} CPUs, {memory_gib:.0f} GiB memory, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def cpu_s(roots: Iterable[int]) -> float:
    """CPU seconds used so far by these processes and all below them, the ended ones included."""
    return sum(_ticks(pid) for root in roots for pid in tree(root)) * TICK_S


def tree(root: int) -> list[int]:
    """`root` and every process below it."""
    found = [root]
    for pid in found:
        found += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    try:
        threads = list(Path("/proc", str(pid), "task").iterdir())
        return [int(child) for thread in threads for child in _children_of(thread)]
    except OSError:
        return []


def _children_of(thread: Path) -> list[str]:
    return (thread / "children").read_text().split()


def _ticks(pid: int) -> int:
    try:
        # After the command, which stands in parentheses and may hold anything.
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])
