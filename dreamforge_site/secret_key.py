"""The installation's secret key, made once and kept in the data directory."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from dreamforge_site.environment import EnvironmentProblems

KEY_BYTES = 48


def ensure(path: Path) -> str:
    """The key kept at `path`; the first of any number of racing processes writes it, all agree."""
    try:
        return _read_or_make(path)
    except OSError as error:
        line = f"DF_DATA_DIR: cannot keep {path}: {error.strerror}; choose a folder to write to"
        raise EnvironmentProblems([line]) from None


def _read_or_make(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write(draft, secrets.token_urlsafe(KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text(encoding="ascii")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
