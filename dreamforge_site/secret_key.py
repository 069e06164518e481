"""The installation's secret key, made once and kept in the data directory."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from dreamforge_site.environment import EnvironmentProblems, secret_files

KEY_BYTES = 48
SHORTEST = 50  # as DF_SECRET_KEY; what is made here has 64
ADVICE = "put back the key that was there, or remove the file for a new one, which signs all out"


def ensure(path: Path) -> str:
    """The key kept at `path`; the first of any number of racing processes writes it, all agree."""
    try:
        return _read_or_make(path)
    except secret_files.Unreadable as error:
        raise EnvironmentProblems([f"DF_DATA_DIR: cannot use {path}: {error}; {ADVICE}"]) from None
    except OSError as error:
        line = f"DF_DATA_DIR: cannot keep {path}: {error.strerror}; choose a folder to write to"
        raise EnvironmentProblems([line]) from None


def _read_or_make(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return _kept(path)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write(draft, secrets.token_urlsafe(KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return _kept(path)


def _kept(path: Path) -> str:
    """As it stands there, to the last character: another key would sign everybody out."""
    key = secret_files.text(path)
    if len(key.strip()) < SHORTEST:
        raise secret_files.Unreadable(f"fewer than {SHORTEST} characters")
    return key


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
