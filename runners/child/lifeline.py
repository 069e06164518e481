"""The child lives no longer than its parent, and what libraries print is no message."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
from contextlib import suppress

PR_SET_PDEATHSIG = 1
OVER = 0


def tie_to(parent: int) -> None:
    """Have the kernel end this process when its parent ends, and end now if that has happened."""
    with suppress(OSError, AttributeError):  # not Linux: the end of standard input says it too
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        leave()


def take_over(fd: int) -> int:
    """The descriptor for messages; standard output becomes standard error, so that a library's
    print cannot be taken for one."""
    faulthandler.enable()
    os.set_inheritable(fd, False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return fd


def leave_when_told(ended: threading.Event) -> None:
    """TERM ends the child between two steps, where the engine looks."""
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is the parent's business


def leave(status: int = OVER) -> None:
    """At once: tearing down an interpreter full of libraries takes a second."""
    sys.stderr.flush()
    os._exit(status)
