"""A process of the service ends when the one that started it does, however that ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# DF_ names are the user's; these are how our own processes speak to each other.
SUPERVISOR_PID = "DREAMFORGE_SUPERVISOR_PID"


def obey_supervisor() -> None:
    """Call first thing in a child: end with the supervisor, when there is one."""
    pid = os.environ.pop(SUPERVISOR_PID, "")
    if pid:
        die_with_parent(int(pid))


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process with its parent (more exactly: the thread that made it)."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the line above
        sys.exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none slips away."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
