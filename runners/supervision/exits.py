"""From how a child ended to why: first what we did to it ourselves, then what the kernel did, then
its own exit status."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from runners.errors import RunnerError

VMSTAT = Path("/proc/vmstat")
# No engine ends itself with these: somebody did, and another try may well succeed.
FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM})
HOST_OOM = re.compile(r"MemoryError|DefaultCPUAllocator: can't allocate memory|std::bad_alloc")


def host_oom_kills(vmstat: Path = VMSTAT) -> int:
    """How many processes the kernel has killed for want of memory since it started."""
    try:
        text = vmstat.read_text()
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def classify(returncode: int, *, oom_kills: int, stderr: str) -> RunnerError:
    """Why a child that nobody asked to end is gone."""
    if returncode == -signal.SIGKILL and oom_kills > 0:
        return RunnerError(
            "oom",
            "The system ran out of memory and killed the runner.",
            reason="host_oom",
            detail=stderr,
        )
    if HOST_OOM.search(stderr):
        return RunnerError(
            "oom", "The runner ran out of the system's memory.", reason="host_oom", detail=stderr
        )
    if returncode < 0:
        name = _signal_name(-returncode)
        return RunnerError(
            "worker_lost" if -returncode in FROM_OUTSIDE else "provider_error",
            f"The runner was ended by {name}.",
            reason=f"crash:{name}",
            detail=stderr,
        )
    return RunnerError(
        "provider_error",
        f"The runner ended by itself with status {returncode}.",
        reason=f"exit:{returncode}",
        detail=stderr,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
