"""A file of lines for each download, `.logs/<id>.log` below the models root: for who looks at the
disk and not at the database. It says what the job's events say, so it holds no secret either."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from downloader.library.store import durability
from downloader.library.store.folders import Folder

log = structlog.get_logger(__name__)

FOLDER = ".logs"
SUFFIX = ".log"
MOST_BYTES = 1 << 20
KEPT_S = 30 * 86_400.0
OPEN = durability.WRITE | os.O_APPEND | os.O_CREAT
FULL = {"code": "log.full", "message": "The rest is among the events of the job."}


class LogFile:
    """Never fails a download: a disk that takes no line is told of once. A later attempt goes on
    in the same file."""

    def __init__(self, root: Path, job_id: uuid.UUID) -> None:
        self._root = root
        self._name = f"{job_id}{SUFFIX}"
        self._open = True

    def write(self, code: str, message: str, facts: Mapping[str, Any] | None = None) -> None:
        if self._open:
            self._append({"ts": _now(), "code": code, "message": message, **(facts or {})})

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, default=str, ensure_ascii=False).encode(errors="replace") + b"\n"
        try:
            with (
                Folder.at(self._root, create=True) as root,
                root.sub(FOLDER, create=True) as folder,
            ):
                file = os.open(self._name, OPEN, durability.FILE_MODE, dir_fd=folder.descriptor)
                try:
                    self._write(file, line)
                finally:
                    os.close(file)
        except OSError as error:
            self._open = False
            log.warning("download_log_not_written", file=self._name, reason=error.strerror)

    def _write(self, file: int, line: bytes) -> None:
        size = os.fstat(file).st_size
        if size + len(line) <= MOST_BYTES:
            durability.write(file, line)
            return
        self._open = False
        if size < MOST_BYTES:  # filled up, so that no later attempt writes this again
            last = json.dumps({"ts": _now(), **FULL}).encode() + b"\n"
            durability.write(file, last.rjust(MOST_BYTES - size))


def tidy(root: Path) -> int:
    """Remove the files of downloads that were over long ago; how many."""
    gone = 0
    try:
        with Folder.at(root) as top, top.sub(FOLDER) as folder:
            for name in folder.names():
                found = folder.look(name)
                if found is not None and time.time() - found.st_mtime > KEPT_S:
                    with suppress(OSError):
                        folder.forget(name)
                        gone += 1
    except OSError:
        return gone  # no download has been here yet, or the root is away
    return gone


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
