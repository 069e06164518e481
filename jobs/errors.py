"""What can go wrong with a job. Errors carry facts (a stable code, what to do next), never HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class JobError(Exception):
    """Refused at the door; `code` is a word of the API's table."""

    code = "invalid_input"

    def __init__(self, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}


class InvalidParams(JobError):
    """Fields of the request that cannot be used, with a reason each."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__("Some fields are not valid.", details={"fields": fields})


class UnknownType(JobError):
    pass


class NotAllowed(JobError):
    code = "forbidden"


class InvalidState(JobError):
    code = "invalid_state"


class IdempotencyConflict(JobError):
    code = "idempotency_conflict"


class QueueFull(JobError):
    code = "rate_limited"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended: one of the contract's job error codes and a sentence for people."""

    code: str
    message: str
    transient: bool = False
    detail: str = ""  # a traceback or the tail of a log, for operators only


class AttemptFailed(Exception):
    """Raised by an executor that knows why it failed."""

    def __init__(
        self, code: str, message: str, *, transient: bool = False, detail: str = ""
    ) -> None:
        super().__init__(message)
        self.failure = Failure(code, message, transient, detail)


class Stopped(Exception):
    """Base of what `Run.check()` raises to end an attempt early."""


class CancelRequested(Stopped):
    pass


class LeaseLost(Stopped):
    """Another worker owns the job now: write nothing more."""


class Interrupted(Stopped):
    """This worker is shutting down: give the job back."""


class DeadlinePassed(Stopped):
    pass
