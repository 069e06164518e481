"""Models by the names that API's clients use: `name@version`, or the name alone, or our id."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet

from jobs.errors import InvalidParams, JobError
from registry.descriptors import LONGEST_NAME
from registry.kinds import DRAWN
from registry.models import Model

DEFAULT = "default"
LONGEST = 2 * LONGEST_NAME + 1
SHOWN = ("id", "name", "version", "created_at")
NAMED_AT_MOST = 5


class UnknownModel(JobError):
    code = "not_found"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"There is no model {text!r} that draws; GET /openai/v1/models lists them. "
            f"Leave `model` out, or send {DEFAULT!r}, for the default model.",
            details={"param": "model", "code": "model_not_found"},
        )


def listed() -> QuerySet[Model]:
    """What may be asked for, newest first."""
    found = Model.objects.filter(enabled=True, kind__in=DRAWN)
    return found.order_by("-created_at", "-id").only(*SHOWN)


def found(text: str) -> Model | None:
    """None is the default model. Of a bare name with several versions none is meant."""
    if text == DEFAULT:
        return None
    candidates = list(_named(text.replace("\0", "\ufffd"))[: NAMED_AT_MOST + 1])
    if not candidates:
        raise UnknownModel(text)
    if len(candidates) > 1:
        names = ", ".join(f"{shown(model)['id']} ({model.pk})" for model in candidates)
        reason = f"{text!r} is the name of several models: {names}. Send one of the ids."
        raise InvalidParams({"model": [reason]})
    return candidates[0]


def shown(model: Model) -> dict[str, Any]:
    return {
        "id": f"{model.name}@{model.version}",
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": "dream-forge",
    }


def _named(text: str) -> QuerySet[Model]:
    try:
        return listed().filter(pk=uuid.UUID(text))
    except ValueError:
        pass
    name, at, version = text.rpartition("@")
    exact = listed().filter(name=text)
    return exact | listed().filter(name=name, version=version) if at else exact
