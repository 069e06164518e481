"""Refused at the door of the hub: facts, and what to do next."""

from __future__ import annotations

from typing import Any


class HubError(Exception):
    """`code` is a word of the API's table."""

    code = "invalid_input"

    def __init__(self, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}


class UnknownRepo(HubError):
    code = "not_found"


class UnknownFile(HubError):
    """No file of the commit has this name or fits this pattern."""


class UnknownCommit(HubError):
    """No commit of the repository begins so, or it was never asked for."""


class Contradiction(HubError):
    """Asked for in a way that cannot be meant."""


class TooManyPatterns(Contradiction):
    """More than are held against every file of a commit."""


class InvalidState(HubError):
    code = "invalid_state"


class NotSynced(InvalidState):
    """Its files are not known yet."""


class AlreadyDownloaded(HubError):
    """Everything that was asked for is here; `force` fetches it again."""

    code = "already_downloaded"
