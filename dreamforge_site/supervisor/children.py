"""A child of the supervisor: how it is started, what it says, how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from dreamforge_site.supervisor import descendants
from dreamforge_site.supervisor.backoff import Backoff
from dreamforge_site.supervisor.lines import Splitter

READ_BYTES = 65_536


@dataclass(frozen=True)
class Program:
    """What to run, with what is added to its environment and the descriptors it inherits."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()


@dataclass
class Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_due_at: float | None = 0.0
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def start(self, environment: Mapping[str, str]) -> Pipe:
        """Start it in a session of its own, so that a ^C in the terminal reaches only us."""
        reading, writing = os.pipe()
        try:
            self.process = subprocess.Popen(
                self.program.command,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env={**environment, **self.program.environment},
                pass_fds=self.program.descriptors,
                start_new_session=True,
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self.started_at = time.monotonic()
        self.start_due_at = None
        return Pipe(self.name, reading)

    def signal(self, number: int) -> None:
        if self.process is not None:
            descendants.signal_group(self.process.pid, number)

    def ended(self, status: int) -> str:
        """Note the end, set the next start, and say why it ended."""
        code = os.waitstatus_to_exitcode(status)
        if self.process is not None:
            self.process.returncode = code  # reaped by us; subprocess need not look again
        self.process = None
        now = time.monotonic()
        self.backoff = self.backoff.after_crash(now - self.started_at)
        self.start_due_at = now + self.backoff.delay_s
        return describe(code)


class Pipe:
    """The reading end of a child's output; it outlives the child while a grandchild writes."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor
        self._splitter = Splitter()
        os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        return self._descriptor

    def read(self) -> tuple[list[bytes], bool]:
        """The lines that are there, and whether more can come."""
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return [], True
        if data:
            return self._splitter.feed(data), True
        return self._splitter.flush(), False

    def close(self) -> None:
        os.close(self._descriptor)


def describe(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
