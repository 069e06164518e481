"""One service for one data directory: a lock that the kernel drops with the process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from dreamforge_site.supervisor.errors import StartError


class Lock:
    """`<data>/run/lock`, held while inside; it tells a second start whom it met."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = self._open()
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = self._refusal()
            os.close(self._descriptor)
            raise StartError(message) from None
        self._write({"pid": os.getpid(), "url": self.url})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The file stays: removing it would let a third process lock another file of that name.
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _open(self) -> int:
        """Never through a link: what it names would be overwritten."""
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            linked = error.errno == errno.ELOOP
            reason = "it is a symbolic link" if linked else error.strerror
            raise StartError(
                f"Cannot lock {self.path}: {reason}; remove it and start again."
            ) from error

    def _write(self, facts: dict[str, object]) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(facts).encode(), 0)

    def _refusal(self) -> str:
        return (
            f"Dream Forge already runs on {self.path.parent.parent}{self._holder()}; "
            "stop it first, or give this one another DF_DATA_DIR and PORT."
        )

    def _holder(self) -> str:
        try:
            facts = json.loads(os.pread(self._descriptor, 4096, 0))
            return f" (process {facts['pid']}, {facts['url']})"
        except (ValueError, KeyError, TypeError):  # it has the lock and has not signed yet
            return ""
