"""Reading what a secret file holds: whatever lies there, neither a wait nor more than a secret."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST_BYTES = 65_536


class Unreadable(Exception):
    """Why the file is no secret, in words."""


def text(path: Path) -> str:
    """OSError when there is none to be had; Unreadable when it is not a small file of text."""
    content = _content(path)
    if len(content) > LARGEST_BYTES:
        raise Unreadable(f"more than {LARGEST_BYTES // 1024} KiB")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8 text") from error


def _content(path: Path) -> bytes:
    """A pipe would not be opened before somebody writes to it, so nothing is waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise Unreadable("not a file")
        return file.read(LARGEST_BYTES + 1)
