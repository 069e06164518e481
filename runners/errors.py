"""Why drawing failed, in the contract's job error codes, with a `reason` that says it closer."""

from __future__ import annotations

CODES = frozenset(
    {
        "oom",
        "invalid_model",
        "invalid_input",
        "timeout",
        "provider_error",
        "storage_error",
        "worker_lost",
        "canceled",
        "internal",
    }
)


class RunnerError(Exception):
    """`detail` (a traceback, the end of a log) is for operators only."""

    def __init__(self, code: str, message: str, *, reason: str = "", detail: str = "") -> None:
        if code not in CODES:
            raise ValueError(f"no such code: {code}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.detail = detail


class InvalidModel(RunnerError):
    def __init__(self, message: str, *, reason: str = "", detail: str = "") -> None:
        super().__init__("invalid_model", message, reason=reason, detail=detail)


class InvalidInput(RunnerError):
    def __init__(self, message: str, *, reason: str = "", detail: str = "") -> None:
        super().__init__("invalid_input", message, reason=reason, detail=detail)


class ProtocolError(RunnerError):
    """The other side said something that is not in the protocol."""

    def __init__(self, message: str) -> None:
        super().__init__("internal", message, reason="protocol")


class CanceledHere(Exception):
    """Raised in the child between two steps; ends the request and nothing else."""
