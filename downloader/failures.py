"""What an error of the library means outside it: to a job, and to a shell."""

from __future__ import annotations

from collections.abc import Mapping

from downloader.library import errors
from jobs.errors import AttemptFailed

# The contract's exit codes.
FAILED, USAGE, NOT_FOUND, ACCESS_NEEDED, UPSTREAM, DISK_FULL, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130

# From the special to the general: the first that fits is taken.
EXIT_CODES: Mapping[type[errors.DownloadError], int] = {
    errors.InvalidRef: USAGE,
    errors.WrongPlace: USAGE,
    errors.NothingSelected: NOT_FOUND,
    errors.NotFound: NOT_FOUND,
    errors.AccessNeeded: ACCESS_NEEDED,
    errors.Unreachable: UPSTREAM,
    errors.ProtocolViolation: UPSTREAM,
    errors.NoSpace: DISK_FULL,
    errors.Stopped: INTERRUPTED,
    errors.DownloadError: FAILED,
}
JOB_CODES: Mapping[type[errors.DownloadError], str] = {
    errors.NoSpace: "storage_error",
    errors.StoreFailed: "storage_error",
    errors.InvalidRef: "invalid_input",
    errors.Refused: "invalid_input",
    errors.UnsafeName: "invalid_input",
    errors.NothingSelected: "invalid_input",
    errors.NotFound: "invalid_input",
    errors.AlreadyInstalled: "invalid_input",
    errors.DownloadError: "provider_error",
}


def exit_code(error: errors.DownloadError) -> int:
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def attempt_failed(error: errors.DownloadError) -> AttemptFailed:
    code = next(code for kind, code in JOB_CODES.items() if isinstance(error, kind))
    return AttemptFailed(code, told(error), transient=error.transient)


def told(error: errors.DownloadError) -> str:
    """The sentence, with the address to visit where there is one."""
    return f"{error.message} Visit {error.visit}" if error.visit else error.message
