"""The job types: a table of dotted paths (settings.JOB_TYPES), so that `jobs` imports no other app.

A kind is plain data that the web process can load. What does the work is named by a dotted path
and imported only in a worker.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer, as_serializer_error

from jobs.errors import InvalidParams, UnknownType

Params = dict[str, Any]
QUEUES = ("gpu", "io")


@dataclass(frozen=True)
class Kind:
    name: str
    queue: str
    serializer: str  # dotted path of the REST serializer of its parameters
    executor: str  # dotted path of a Callable[[Run], dict | None]
    steps: tuple[str, ...] = ("run",)
    stages: Mapping[str, float] = field(default_factory=lambda: {"run": 1.0})
    permission: str = ""  # a Django permission; empty: any signed-in caller
    staff_only: bool = False
    scope: str = "jobs"  # what an API key needs to start one
    # Dotted path of a Callable[[Job, Any], None] that writes to the admin's log who started one;
    # empty: the job's own row says it well enough.
    auditor: str = ""
    max_attempts: int | None = None  # None: settings.JOB_MAX_ATTEMPTS
    timeout_s: int | None = None  # None: settings.JOB_TIMEOUT_S
    item_count: Callable[[Params], int] = lambda _params: 1
    model_id: Callable[[Params], uuid.UUID | None] = lambda _params: None


@cache
def table() -> dict[str, Kind]:
    kinds = [import_string(path) for path in settings.JOB_TYPES]
    return {kind.name: kind for kind in kinds}


def get(name: str) -> Kind:
    kind = table().get(name)
    if kind is None:
        known = ", ".join(sorted(table()))
        raise UnknownType(
            f"There is no job type {name!r}; known: {known}.",
            details={"fields": {"type": [f"Not one of: {known}."]}},
        )
    return kind


def names_for(queue: str) -> tuple[str, ...]:
    return tuple(kind.name for kind in table().values() if kind.queue == queue)


def parse(kind: Kind, given: Mapping[str, Any]) -> Params:
    """The parameters as JSON keeps them, or InvalidParams with every field that is wrong."""
    serializer = _serializer(kind.serializer)
    unknown = {name: ["Unknown field."] for name in given if name not in serializer.fields}
    if unknown:
        raise InvalidParams(unknown)
    try:
        checked = serializer.run_validation(dict(given))
    except ValidationError as error:
        raise InvalidParams(dict(_flat(as_serializer_error(error)))) from None
    params: Params = serializer.to_representation(checked)
    return params


def _flat(told: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """What is wrong below a field has a dotted name: `box.width`, `files.0.path`."""
    parts = enumerate(told) if isinstance(told, list) else told.items()
    for key, part in parts:
        below = f"{name}.{key}" if name else str(key)
        if isinstance(part, dict) or any(isinstance(inner, dict | list) for inner in part):
            yield from _flat(part, below)
        elif part:
            yield below, [str(message) for message in part]


@cache
def _serializer(path: str) -> Serializer[Any]:
    """One for all calls: making its fields costs ten times what checking them does, and checking
    leaves nothing behind in it."""
    made: Serializer[Any] = import_string(path)()
    return made
