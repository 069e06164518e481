"""What can go wrong with a webhook before and while it is sent."""

from __future__ import annotations

from jobs.errors import InvalidParams, JobError


class BadAddress(InvalidParams):
    """The URL of a webhook cannot be used."""

    def __init__(self, reason: str, field: str = "url") -> None:
        super().__init__({field: [reason]})
        self.reason = reason


class TooManyEndpoints(JobError):
    code = "conflict"


class Undeliverable(Exception):
    """An attempt failed; the sentence is for the delivery's log. Final: another would fail too."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final
