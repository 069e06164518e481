"""What can go wrong with a download: facts, and what to do next. They know no HTTP status and no
exit code; the edges have a table each.

No message, detail or `visit` ever holds a token or the query of a signed address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DownloadError(Exception):
    """`code` is a word of the API's table; `transient` says that trying again may help."""

    code = "upstream_error"
    transient = False

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        visit: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.visit = visit  # an address where a person can put it right
        self.details = {**(details or {}), **({"visit": visit} if visit else {})}


# What was asked for


class InvalidRef(DownloadError):
    """Not a reference; the message shows the grammar."""

    code = "invalid_input"


class Refused(DownloadError):
    """The operator's policy does not allow it: a source, a file format, an address, a size."""

    code = "invalid_input"


class WrongPlace(Refused):
    """A folder that somebody named, and that cannot be the one for this."""


class UnsafeName(DownloadError):
    """A file name that must not reach a disk."""

    code = "invalid_input"


class NothingSelected(DownloadError):
    """The selection names no file, or files that are not there."""

    code = "invalid_input"


class InvalidFile(DownloadError):
    """The bytes arrived and are not what their name says: a login page, a broken safetensors."""

    code = "upstream_error"


class NotFound(DownloadError):
    code = "not_found"


class AlreadyInstalled(DownloadError):
    """Other bytes stand under this name and version."""

    code = "conflict"


class Busy(DownloadError):
    """Another process holds it and did not let go in the time there was to wait."""

    code = "conflict"
    transient = True


# What the other side said


class AccessNeeded(DownloadError):
    """A token, a licence click, a purchase or a login is missing; `visit` says where."""

    code = "upstream_gated"


class Unreachable(DownloadError):
    """The network, or the server, did not deliver after every retry that made sense."""

    transient = True


class Throttled(Unreachable):
    """429 for longer than we wait."""

    def __init__(self, message: str, *, retry_after_s: float, **more: Any) -> None:
        super().__init__(message, **more)
        self.retry_after_s = retry_after_s


class ProtocolViolation(DownloadError):
    """The server answered what no retry repairs: lying lengths, redirect loops, another scheme."""


class DigestMismatch(DownloadError):
    """The bytes are not the ones the source names. They lie in quarantine, if anywhere."""

    def __init__(self, message: str, *, quarantine_id: str | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.quarantine_id = quarantine_id
        if quarantine_id:
            self.details["quarantine_id"] = quarantine_id


# This machine


class NoSpace(DownloadError):
    code = "insufficient_storage"


class StoreFailed(DownloadError):
    """The disk refused: permission, read-only, an I/O error."""

    code = "infra_unavailable"
    transient = True


# Stopped on purpose; what was fetched stays and is taken up again


class Stopped(DownloadError):
    code = "conflict"


class Canceled(Stopped):
    pass
