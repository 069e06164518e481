"""What a process takes: CPU, threads and memory, as the kernel counts them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """Of one process between two moments."""

    cpu_percent: float
    threads: int
    rss_mb: float


class Meter:
    def __init__(self, pid: int) -> None:
        self._folder = Path("/proc", str(pid))
        self._from = (time.monotonic(), self._cpu_s())

    def read(self) -> Usage:
        took_s = time.monotonic() - self._from[0]
        used_s = self._cpu_s() - self._from[1]
        fields = self._fields()
        return Usage(100 * used_s / took_s, int(fields[17]), int(fields[21]) * PAGE_BYTES / 1e6)

    def _cpu_s(self) -> float:
        fields = self._fields()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def _fields(self) -> list[str]:
        # After the command, which stands in parentheses and may hold anything.
        return (self._folder / "stat").read_text().rpartition(")")[2].split()


def described() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown CPU",
    )
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{os.cpu_count()} cores ({model}), {memory_kb / 1e6:.0f} GB"
