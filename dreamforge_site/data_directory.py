"""The data directory, and the files in it that hold password hashes: nobody else's to read.

A umask for the whole process would be shorter, and would make what `collectstatic` writes into an
image unreadable to the user that image runs as.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from dreamforge_site.environment import EnvironmentProblems

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make(path: Path) -> None:
    """The folder stands, made for its owner alone; one that stood already keeps its mode."""
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        line = f"DF_DATA_DIR: cannot make {path}: {error.strerror}; choose a folder to write to"
        raise EnvironmentProblems([line]) from None


def make_file(path: Path) -> None:
    """An empty file for its owner alone, unless there is one; whoever opens it tells what failed.

    SQLite takes an empty file for a new database and gives the files beside it the same mode.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
