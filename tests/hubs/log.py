"""What was asked of a hub, in the order of arrival, and how many bytes went out for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import overload

from tests.hubs.messages import Request


@dataclass
class Entry:
    """One request. `sent` counts bytes of the body handed to the kernel: what a client that was
    killed never read is in it."""

    origin: str
    method: str
    target: str
    path: str
    headers: Mapping[str, str]
    subject: str
    connection: int
    status: int = 0
    sent: int = 0

    @classmethod
    def of(cls, request: Request) -> Entry:
        return cls(
            origin=request.origin,
            method=request.method,
            target=request.target,
            path=request.path,
            headers=request.headers,
            subject=request.subject,
            connection=request.connection,
        )

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


def matches(pattern: str, path: str, subject: str) -> bool:
    """Whether a glob fits the path of a request or the file it is about."""
    return fnmatchcase(path, pattern) or (subject != "" and fnmatchcase(subject, pattern))


class RequestLog(Sequence[Entry]):
    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def open(self, request: Request) -> Entry:
        entry = Entry.of(request)
        with self._lock:
            self._entries.append(entry)
        return entry

    def of(
        self, path: str = "*", *, origin: str | None = None, method: str | None = None
    ) -> list[Entry]:
        """Those that fit: a glob on the path or the subject, an origin, a method."""
        return [
            entry
            for entry in self.snapshot()
            if matches(path, entry.path, entry.subject)
            and origin in (None, entry.origin)
            and method in (None, entry.method)
        ]

    def snapshot(self) -> list[Entry]:
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        return self.snapshot()[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.snapshot())
