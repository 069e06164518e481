"""Signs: files that say who holds something, and that the holder still lives.

A sign is a line with a counter, which the holder writes anew every few seconds, in place, and a
line of JSON with the holder's token and process. Who reads it opens the file each time, which is
what makes a network share show the newest bytes, and never compares clocks: a sign is silent when
it has not changed for so long by the reader's own clock.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from downloader.library.store import durability
from downloader.library.store.folders import Folder
from downloader.library.store.identity import Process

LIMIT = 8 << 20  # no sign is larger: a claim on 100,000 blobs
BEAT_DIGITS = 12
# A sign of another machine that is so old by the clock of the file system is over. Only
# housekeeping goes by this; who waits for a lock goes by its own clock.
LONG_SILENCE_S = 3600.0
UNKNOWN = Process("", 0, "")


@dataclass(frozen=True)
class Rhythm:
    """How often a holder gives a sign of life, and after how much silence it has lost its hold."""

    beat_s: float = 5.0
    silence_s: float = 60.0
    look_s: float = 0.1


@dataclass(frozen=True)
class Sign:
    """`token` is never used twice, so it names one hold and no other."""

    token: str
    process: Process
    facts: Mapping[str, Any] = field(default_factory=dict)
    beat: int = 0

    @classmethod
    def fresh(cls, **facts: Any) -> Sign:
        return cls(uuid4().hex, Process.this(), facts)

    @classmethod
    def of(cls, token: str, **facts: Any) -> Sign:
        """Of this process, under a token it has already."""
        return cls(token, Process.this(), facts)

    def encoded(self) -> bytes:
        head = {"token": self.token, "process": self.process.to_json(), **self.facts}
        return _counter(self.beat) + json.dumps(head).encode() + b"\n"

    def gone(self) -> bool:
        return self.process.gone()


def read(folder: Folder, name: str) -> Sign | None:
    """The sign in `name`. A file that is no sign, such as one that is still being written, is the
    sign of an unknown process."""
    try:
        with folder.reading(name) as file:
            status = os.fstat(file)
            data = os.read(file, LIMIT)
    except FileNotFoundError:
        return None
    try:
        return _parsed(data)
    except (ValueError, KeyError, TypeError):
        return Sign(f"unknown-{status.st_ino}-{status.st_mtime_ns}", UNKNOWN)


def _parsed(data: bytes) -> Sign:
    beat, _, rest = data.partition(b"\n")
    facts = json.loads(rest)
    token, process = facts.pop("token"), Process.parse(facts.pop("process"))
    if not isinstance(token, str) or not token.isalnum():
        raise ValueError("no token")
    return Sign(token, process, facts, int(beat))


def _counter(beat: int) -> bytes:
    return b"%0*d\n" % (BEAT_DIGITS, beat)


class Watch:
    """How long the signs somebody is waiting for have been silent, by this process's clock."""

    def __init__(self, rhythm: Rhythm, clock: Callable[[], float] = time.monotonic) -> None:
        self._rhythm = rhythm
        self._clock = clock
        self._seen: dict[str, tuple[Sign, float]] = {}

    def silent(self, name: str, sign: Sign) -> bool:
        before, since = self._seen.get(name, (None, 0.0))
        now = self._clock()
        if before != sign:
            self._seen[name] = (sign, now)
            return False
        return now - since >= self._rhythm.silence_s


class Heart:
    """One thread that keeps this process's signs alive, as long as there are any."""

    def __init__(self, rhythm: Rhythm) -> None:
        self._rhythm = rhythm
        self._guard = threading.Lock()
        self._alive: dict[str, tuple[Path, str]] = {}  # by token
        self._pid = 0

    def keep(self, folder: Path, name: str, sign: Sign) -> None:
        with self._guard:
            self._alive[sign.token] = (folder, name)
            if self._pid != os.getpid():  # never started, or started by a parent before a fork
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="store-heart", daemon=True).start()

    def let_go(self, token: str) -> None:
        with self._guard:
            self._alive.pop(token, None)

    def _run(self) -> None:
        beat = 0
        while True:
            time.sleep(self._rhythm.beat_s)
            beat += 1
            with self._guard:
                held = list(self._alive.items())
                if not held:
                    self._pid = 0
                    return
            for token, (folder, name) in held:
                # A share that is away now may be back at the next beat; if not, the hold is lost,
                # which its owner notices before it publishes.
                with suppress(OSError):
                    _beat(folder, name, token, beat)


def _beat(path: Path, name: str, token: str, beat: int) -> None:
    with Folder.at(path) as folder:
        found = read(folder, name)
        if found is None or found.token != token:
            return
        file = os.open(name, durability.WRITE, dir_fd=folder.descriptor)
        try:
            durability.overwrite(file, _counter(beat), 0)
        finally:
            os.close(file)
