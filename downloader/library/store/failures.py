"""What the operating system says, in the words of the library."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from downloader.library.errors import DownloadError, NoSpace, Refused, StoreFailed

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# What opening with O_NOFOLLOW, or O_DIRECTORY, says of a symlink.
PLANTED = frozenset({errno.ELOOP, errno.ENOTDIR})
ADVICE = {
    errno.EACCES: "Let the account that runs this write there.",
    errno.EPERM: "Let the account that runs this write there.",
    errno.EROFS: "The file system is read-only: mount it writable, or name another models root.",
    errno.EIO: "The disk reports an error: check it before trying again.",
    errno.ESTALE: "The network share went away: mount it again.",
    errno.EMFILE: "Too many files are open: raise the limit (ulimit -n).",
}


@contextmanager
def told(doing: str, path: Path) -> Iterator[None]:
    """What fails inside is raised as `NoSpace`, `Refused` or `StoreFailed`."""
    try:
        yield
    except OSError as error:
        raise translated(error, doing, path) from error


def translated(error: OSError, doing: str, path: Path) -> DownloadError:
    code = error.errno or 0
    facts = {"path": str(path), "errno": errno.errorcode.get(code, str(code))}
    if code in FULL:
        return NoSpace(
            f"The disk is full while {doing} {path}. Free some space and start again: what was "
            "fetched is kept.",
            details=facts,
        )
    if code in PLANTED:
        return Refused(
            f"Not {doing} {path}: a link, or something else that the store did not make, stands in "
            "the way. Look at it and remove it.",
            details=facts,
        )
    advice = ADVICE.get(code, "Put that right and try again.")
    reason = os.strerror(code) if code else str(error)
    return StoreFailed(f"{doing.capitalize()} {path} failed: {reason}. {advice}", details=facts)
