"""The embedded broker: a kombu transport whose messages are files in the data directory.

kombu's own filesystem transport was measured and not kept: it opens a message under its final name
before writing it (a reader can take an empty file), takes messages through the system's shared
temporary folder, orders them by a clock that restarts at boot, and sorts every queue's messages to
find one queue's next. Here a message is written aside and renamed into its queue's own folder, and
whoever manages to remove it owns it.

    <folder>/queues/<queue>/<time>-<process>-<number>.json
    <folder>/drafts/
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import time
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import virtual

# A bell that rings unheard ten thousand times needs no further ring: the publisher is told.
MAX_WAITING = 10_000
MAX_AGE_S = 24 * 3600
LONGEST_DRAIN_S = 0.25
FOLDER_MODE = 0o700
FILE_MODE = 0o600
QUEUE_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,200}\Z")

# Anything else in a queue's folder is somebody else's and stays where it is.
MESSAGE_NAME = re.compile(r"[0-9]{20}-[0-9]+-[0-9]{8,}\.json\Z")

_numbers = itertools.count()


class Channel(virtual.Channel):
    """Reads and writes the files; every method may run beside itself in any number of processes."""

    do_restore = True

    @property
    def root(self) -> Path:
        return _root(self.connection.client)

    def queue_folder(self, queue: str) -> Path:
        if not QUEUE_NAME.match(queue) or not queue.strip("."):
            raise ChannelError(f"{queue!r} is not a queue name the embedded broker can keep")
        return self.root / "queues" / queue

    def _new_queue(self, queue: str, **_: Any) -> None:
        _make_folder(self.queue_folder(queue))

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return self.queue_folder(queue).is_dir()

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        folder = self.queue_folder(queue)
        if len(_names(folder)) >= MAX_WAITING:
            raise ChannelError(f"queue {queue!r} is full: {MAX_WAITING} messages wait")
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(_numbers):08d}.json"
        draft = self.root / "drafts" / name
        _write(draft, json.dumps(message).encode())
        _publish(draft, folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        folder = self.queue_folder(queue)
        for name in sorted(_names(folder)):
            message = _take(folder / name)
            if message is not None and not _is_stale(name):
                return message
        raise Empty

    def _size(self, queue: str) -> int:
        return len(_names(self.queue_folder(queue)))

    def _purge(self, queue: str) -> int:
        folder = self.queue_folder(queue)
        return sum(_take(folder / name) is not None for name in _names(folder))

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        # The folder stays: another process may be writing into it.
        super()._delete(queue, *args, **kwargs)
        self._purge(queue)


class Transport(virtual.Transport):
    Channel = Channel
    default_port = 0
    driver_type = "embedded"
    driver_name = "embedded"
    # A full disk or a lost folder is an outage like any broker's: retried, then told.
    connection_errors = (*virtual.Transport.connection_errors, OSError)
    implements = virtual.Transport.implements.extend(
        asynchronous=False, exchange_type=frozenset(["direct"])
    )

    def establish_connection(self) -> Any:
        """As a connection to any broker does, this fails while the broker cannot serve."""
        root = _root(self.client)
        for folder in (root, root / "queues", root / "drafts"):
            _make_folder(folder)
        if not os.access(root / "drafts", os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(root / "drafts"))
        return super().establish_connection()

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        # A worker looks at its stop signal only between two drains, and asks for two seconds.
        shorter = None if timeout is None else min(timeout, LONGEST_DRAIN_S)
        super().drain_events(connection, timeout=shorter, **kwargs)

    def driver_version(self) -> str:
        return "1"


def _root(client: Any) -> Path:
    return Path(client.transport_options["folder"])


def _make_folder(path: Path) -> None:
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def _names(folder: Path) -> list[str]:
    try:
        found = os.listdir(folder)  # noqa: PTH208  twenty times a second: plain names are cheapest
    except FileNotFoundError:
        return []
    return [name for name in found if MESSAGE_NAME.match(name)]


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink()
        raise


def _publish(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except FileNotFoundError:
        _make_folder(target.parent)
        draft.rename(target)


def _take(path: Path) -> dict[str, Any] | None:
    """The message, if it was this caller who removed it and it can be read."""
    try:
        content = path.read_bytes()
        path.unlink()
    except FileNotFoundError:
        return None
    try:
        message = json.loads(content)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _is_stale(name: str) -> bool:
    written_ns = int(name.partition("-")[0])
    return time.time_ns() - written_ns > MAX_AGE_S * 1_000_000_000
