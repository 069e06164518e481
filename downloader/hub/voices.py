"""Who does the long work of the hub and hears of it: a job's run, or a command at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from downloader.execution import beside
from downloader.library.watch import Control
from jobs.run import Run

T = TypeVar("T")


class Voice(Protocol):
    control: Control

    def aside(self, work: Callable[[], T]) -> T:
        """Do what takes long and touches no database."""

    def say(self, code: str, message: str, *, level: str = "info", **facts: Any) -> None:
        """A line for the log."""

    def progress(self, fraction: float) -> None:
        """How far all of it is, from 0 to 1."""


class JobVoice:
    """Of a job: it keeps its lease and listens for a cancel meanwhile."""

    def __init__(self, run: Run, stage: str) -> None:
        self.control = Control()
        self._run = run
        self._stage = stage

    def aside(self, work: Callable[[], T]) -> T:
        return beside(self._run, self.control, work)

    def say(self, code: str, message: str, *, level: str = "info", **facts: Any) -> None:
        self._run.log(code, message, level=level, **facts)

    def progress(self, fraction: float) -> None:
        self._run.progress(0, self._stage, fraction)


class PlainVoice:
    """Of a command: work is done at once, and lines go to `tell`."""

    def __init__(self, control: Control, tell: Callable[[str], None]) -> None:
        self.control = control
        self._tell = tell

    def aside(self, work: Callable[[], T]) -> T:
        return work()

    def say(self, code: str, message: str, *, level: str = "info", **facts: Any) -> None:
        self._tell(message)

    def progress(self, fraction: float) -> None:
        """A terminal sees the lines."""
