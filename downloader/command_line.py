"""What this room's commands share: errors in one line with the contract's exit codes, ^C, and how
far a transfer is, on standard error."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from downloader import failures
from downloader.hub.errors import Contradiction, HubError, UnknownCommit, UnknownFile, UnknownRepo
from downloader.library.errors import Canceled, DownloadError
from downloader.library.watch import Control, FileProgress, FileState, Observer
from jobs.command_line import INTERRUPTED, JobCommand, plain
from registry import wording
from registry.errors import Ambiguous, RegistryError, UnknownModel

T = TypeVar("T")
MOST_BARS = 8
# What every download says of every file: the bars and the last line tell it better.
EXPECTED = frozenset({"resolved", "already_here", "verified", "installed"})


class ModelCommand(JobCommand):
    """A command about models: whatever the library says becomes one line and an exit code."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Canceled:
            self.stderr.write("Interrupted; the same command goes on from here.")
            sys.exit(INTERRUPTED)
        except DownloadError as error:
            code = failures.exit_code(error)
            raise CommandError(plain(failures.told(error)), returncode=code) from error
        except RegistryError as error:
            raise CommandError(plain(error.message), returncode=_exit_code(error)) from error
        except HubError as error:
            raise CommandError(plain(error.message), returncode=_hub_code(error)) from error


def _exit_code(error: RegistryError) -> int:
    if isinstance(error, Ambiguous):
        return failures.USAGE
    return failures.NOT_FOUND if isinstance(error, UnknownModel) else failures.FAILED


def _hub_code(error: HubError) -> int:
    if isinstance(error, UnknownRepo | UnknownFile | UnknownCommit):
        return failures.NOT_FOUND
    return failures.USAGE if isinstance(error, Contradiction) else failures.FAILED


@contextmanager
def interruptible(control: Control) -> Iterator[None]:
    """^C and TERM ask the work to stop; a second one stops the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, _frame: FrameType | None) -> None:
        control.cancel()
        signal.signal(signum, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Display(Observer):
    """Bars on a terminal; elsewhere only what went differently than one hopes."""

    def __init__(self, sizes: Mapping[str, int | None], *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._live = self._console.is_terminal and not quiet
        self._total = sum(size or 0 for size in sizes.values())
        self._done: dict[str, int] = {}
        self._bars: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._progress = _bars(self._console)

    def __enter__(self) -> Display:
        if self._live:
            self._all = self._progress.add_task("all files", total=self._total or None)
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._progress.stop()

    def file(self, progress: FileProgress) -> None:
        with self._lock:
            self._done[progress.path] = progress.done
            if self._live:
                self._draw(progress)

    def say(self, code: str, message: str, **facts: object) -> None:
        if code not in EXPECTED and not self._quiet:
            with self._lock:
                self._console.print(plain(message), markup=False, soft_wrap=True)

    def _draw(self, progress: FileProgress) -> None:
        self._progress.update(self._all, completed=sum(self._done.values()))
        bar = self._bars.get(progress.path)
        if progress.state is FileState.DOWNLOADING and bar is None and len(self._bars) < MOST_BARS:
            name = plain(progress.path)[-40:]
            bar = self._bars[progress.path] = self._progress.add_task(name, total=progress.size)
        if bar is None:
            return
        self._progress.update(bar, completed=progress.done, total=progress.size)
        if progress.state in (FileState.DONE, FileState.FAILED):
            self._progress.remove_task(self._bars.pop(progress.path))


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def human(size: int | None) -> str:
    """Bytes for people."""
    return "?" if size is None else wording.size(size)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    started_at = time.monotonic()
    return work(), time.monotonic() - started_at
