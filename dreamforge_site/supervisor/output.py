"""Lines to a descriptor that may be slow, full or gone, without ever making the service wait."""

from __future__ import annotations

import os
import queue
import select
import threading
import time
from collections.abc import Callable

MAX_WAITING_LINES = 5_000
FLUSH_S = 2.0


class Output:
    """A bounded queue and one thread that writes; when the reader lags, lines are dropped."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.dropped = 0
        self._broken = False
        self._waiting: queue.Queue[bytes] = queue.Queue(MAX_WAITING_LINES)
        threading.Thread(target=self._write_for_ever, name="output", daemon=True).start()

    def write(self, line: bytes) -> None:
        if self._broken:
            return
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until what was written is out, but no longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)

    def _write_for_ever(self) -> None:
        while True:
            line = self._waiting.get()
            if not self._broken:
                self._write_one(line)
            self._waiting.task_done()

    def _write_one(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:
                # Somebody who shares the terminal made it non-blocking.
                select.select([], [self.descriptor], [])
            except OSError:
                # The reader has gone (a closed pipe or terminal); the service goes on unheard.
                self._broken = True
                return


class LineStream:
    """A text stream for `logging` and `print` whose whole lines go to `write_line`."""

    encoding = "utf-8"

    def __init__(self, write_line: Callable[[bytes], None], *, terminal: bool) -> None:
        self._write_line = write_line
        self._terminal = terminal
        self._partial = ""

    def write(self, text: str) -> int:
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._write_line(line.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        """Lines leave as they are written; there is nothing to hurry."""

    def isatty(self) -> bool:
        return self._terminal
