"""What can go wrong with a model. Errors carry facts (a stable code, what to do next), never
HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class RegistryError(Exception):
    """`code` is a word of the API's table."""

    code = "invalid_input"

    def __init__(self, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}


class InvalidDescriptor(RegistryError):
    """A description of a model that cannot be used; the message names the part that is wrong."""


class InvalidDefaults(RegistryError):
    """Values that the model's own schema does not take, with the reasons by name."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__("Some defaults are not taken.", details={"fields": fields})


class InvalidModel(RegistryError):
    """No job can use this model. `reason`: unknown, wrong_kind, not_installed, disabled, or
    no_default when none was named and there is none to take."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, details={"fields": {"model_id": [message]}})
        self.reason = reason


class UnknownModel(RegistryError):
    code = "not_found"


class CannotEnable(RegistryError):
    """`reasons`: every one of them, so that they can be put right together."""

    code = "conflict"

    def __init__(self, name: str, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            f"{name} cannot be enabled: {'; '.join(self.reasons)}.",
            details={"reasons": list(self.reasons)},
        )


class NotAllowed(RegistryError):
    code = "forbidden"


class Ambiguous(RegistryError):
    """A name that more than one model has."""

    code = "conflict"
