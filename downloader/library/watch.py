"""How a transfer is watched and stopped."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import StrEnum

from downloader.library.errors import Canceled


class FileState(StrEnum):
    PENDING = "pending"
    DOWNLOADING = "downloading"
    DONE = "done"
    FAILED = "failed"


class Control:
    """The switch that another thread turns. Whoever works calls `check` at least twice a second."""

    def __init__(self) -> None:
        self._canceled = threading.Event()
        self._running = threading.Event()
        self._running.set()

    def cancel(self) -> None:
        self._canceled.set()
        self._running.set()

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    @property
    def canceled(self) -> bool:
        return self._canceled.is_set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def check(self) -> None:
        """Raise Canceled, or sleep through a pause."""
        while not self._running.wait(0.2):
            pass
        if self._canceled.is_set():
            raise Canceled("The download was stopped; what was fetched is kept.")

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake up at once to stop."""
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            self._canceled.wait(left)
            self.check()


@dataclass(frozen=True)
class FileProgress:
    """`done` counts bytes that are on disk here, also those an earlier run fetched; `received`
    counts what this run took from the network."""

    path: str
    state: FileState
    done: int
    size: int | None
    received: int


class Observer:
    """Told from the threads of a transfer, some ten times a second for a file: be quick, and do not
    raise. This one listens to nothing."""

    def file(self, progress: FileProgress) -> None:
        """How far one file is."""

    def say(self, code: str, message: str, **facts: object) -> None:
        """A line for the log: a retry, a restart of a file, a wait for another process.

        Codes: `resolved`, `retry`, `throttled`, `restart`, `resume`, `relocated`, `waiting`,
        `already_here`, `verified`, `quarantined`, `installed`, `collected`.
        """
