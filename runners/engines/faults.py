"""What can go wrong in a process that draws, done on purpose. Only where the environment names it:
`DREAMFORGE_RUNNER_FAULT=segv@step:3` crashes at the third step. `DREAMFORGE_RUNNER_FAULT_FILE`
names a file that may hold such a word: it is taken out of there and done once.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from runners.errors import RunnerError

VARIABLE = "DREAMFORGE_RUNNER_FAULT"
FILE_VARIABLE = "DREAMFORGE_RUNNER_FAULT_FILE"
MIB = 1 << 20
ROOM = 64 * MIB
FOR_EVER_S = 3600


def at(*places: str) -> None:
    """Do what was asked for at one of these places, if anything was."""
    fault, _, place = _word().partition("@")
    if fault and place in places:
        if file := os.environ.get(FILE_VARIABLE):
            Path(file).unlink(missing_ok=True)
        FAULTS[fault]()


def _word() -> str:
    if file := os.environ.get(FILE_VARIABLE):
        with suppress(FileNotFoundError):
            return Path(file).read_text()
    return os.environ.get(VARIABLE, "")


def _raise() -> None:
    raise RuntimeError("a fault on purpose")


def _gpu_oom() -> None:
    raise _OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def _host_oom() -> None:
    raise MemoryError("a fault on purpose")


def _exhaust() -> None:
    """Take memory until the system, which allows only so much more, has no more to give."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + ROOM, resource.RLIM_INFINITY))
    taken = []
    while True:
        taken.append(bytearray(MIB))


def _nan() -> None:
    raise RunnerError("provider_error", "The picture is not a number.", reason="nan_output")


def _hang() -> None:
    time.sleep(FOR_EVER_S)


def _deaf() -> None:
    """Hang, and ignore whoever asks politely."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    while True:
        time.sleep(FOR_EVER_S)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _segv() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _exit() -> None:
    os._exit(1)


def _flood() -> None:
    """Far more on both outputs than any pipe holds."""
    for _ in range(200):
        print("x" * 10_000)  # noqa: T201
        print("y" * 10_000, file=sys.stderr)  # noqa: T201


def _grandchild() -> None:
    """Leave a process behind that holds our outputs open, and hang."""
    words = [sys.executable, "-c", f"import time; time.sleep({FOR_EVER_S})", "a-grandchild"]
    subprocess.Popen(words)
    _hang()


class _OutOfMemoryError(RuntimeError):
    """Named as the library names its own."""


_OutOfMemoryError.__name__ = "OutOfMemoryError"
FAULTS: Mapping[str, Callable[[], None]] = {
    "raise": _raise,
    "gpu-oom": _gpu_oom,
    "host-oom": _host_oom,
    "exhaust": _exhaust,
    "nan": _nan,
    "hang": _hang,
    "deaf": _deaf,
    "kill": _kill,
    "segv": _segv,
    "exit": _exit,
    "flood": _flood,
    "grandchild": _grandchild,
}
