"""Whose lease is over: judged by whether its beat still grows, seen with this process's own
steady clock. No wall clock is compared with another, so a clock that jumps ends no lease early and
keeps none alive.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

from django.conf import settings

from jobs import execution
from jobs.lifecycle import Lease
from jobs.models import Job
from jobs.states import State

Seen = tuple[int, int]  # claim, beat


def new_holder(queue: str) -> str:
    """Names this process: host, boot and start of the process, so that a reused pid is another."""
    pid = os.getpid()
    return f"{queue}@{_host()}/{pid}/{_started(pid) or 0}/{uuid.uuid4().hex[:8]}"


def is_gone(holder: str) -> bool:
    """Whether the process is known to be dead: only ever true of this machine's own."""
    place, *numbers = holder.partition("@")[2].split("/")
    if place != _host():
        return False
    pid, started = (int(number) for number in numbers[:2])
    return _started(pid) != started


class Watch:
    """Remembers when each running job's beat last changed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[uuid.UUID, tuple[Seen, float]] = {}
        self._looked_at = clock()

    def lapsed(self) -> list[Job]:
        """Running jobs whose holder is dead, or has shown no sign of life for a whole lease."""
        running = list(
            Job.objects.filter(status=State.RUNNING).only(
                "claim", "beat", "lease_holder", "cancel_requested_at", "attempts", "max_attempts"
            )
        )
        now = self._clock()
        if now - self._looked_at >= settings.JOB_LEASE_S:
            # This process was stopped, or the database away: what was not seen proves nothing.
            self._seen = {}
        self._looked_at = now
        self._seen = {job.id: self._last_change(job, now) for job in running}
        return [
            job
            for job in running
            if now - self._seen[job.id][1] >= settings.JOB_LEASE_S or is_gone(job.lease_holder)
        ]

    def _last_change(self, job: Job, now: float) -> tuple[Seen, float]:
        seen = (job.claim, job.beat)
        before = self._seen.get(job.id)
        return before if before is not None and before[0] == seen else (seen, now)


def sweep(watch: Watch) -> dict[str, str]:
    """End the attempts of lost workers: back to the queue, or failed when used up."""
    return {
        str(job.id): execution.abandon(job, Lease(job.id, job.claim, job.lease_holder))
        for job in watch.lapsed()
    }


@cache
def _host() -> str:
    """This boot of this machine, and the space its process numbers count in: two containers may
    share a host's name, and then one's process 7 is not the other's."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    boot_id = boot.read_text(encoding="ascii").strip()[:8] if boot.exists() else ""
    numbers = Path("/proc/self/ns/pid")
    space = numbers.readlink().name.strip("pid:[]") if numbers.exists() else ""
    return f"{socket.gethostname()}:{boot_id}:{space}"


def _started(pid: int) -> int | None:
    """When the process started, in ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])
