"""Which models there are and which of them may be used: reads only."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import QuerySet

from registry.errors import Ambiguous, InvalidModel, UnknownModel
from registry.kinds import DRAWN
from registry.models import Model

# What a list shows of a model; the other columns can be long.
LISTED = ("id", "name", "kind", "version", "installed", "enabled", "parameters_schema")
NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Filters:
    """`enabled` None: both. Everything that is given must hold."""

    enabled: bool | None = True
    installed: bool | None = None
    kind: str | None = None
    q: str = ""


def listed(filters: Filters) -> QuerySet[Model]:
    """In no order yet: pages set their own, and each has an index."""
    found = Model.objects.order_by()
    if filters.enabled is not None:
        found = found.filter(enabled=filters.enabled)
    if filters.installed is not None:
        if filters.enabled:  # installed, all of them: the database sees to it
            found = found if filters.installed else found.none()
        else:
            found = found.filter(installed=filters.installed)
    if filters.kind is not None:
        found = found.filter(kind=filters.kind)
    for word in folded(filters.q).split():
        found = found.filter(search_text__contains=word)
    return found


def usable(model_id: uuid.UUID, kinds: Collection[str] = DRAWN) -> Model:
    """The model, if a job may use it now, else InvalidModel with the reason."""
    model = Model.objects.filter(pk=model_id).first()
    if model is None:
        raise InvalidModel("unknown", f"There is no model {model_id}; GET /v1/models lists them.")
    return checked(model, kinds)


def checked(model: Model, kinds: Collection[str] = DRAWN) -> Model:
    if model.kind not in kinds:
        raise InvalidModel(
            "wrong_kind", f"{model} is of kind {model.kind}; this takes {' or '.join(kinds)}."
        )
    if not model.installed:
        raise InvalidModel("not_installed", f"{model} is not installed; download it again.")
    if not model.enabled:
        raise InvalidModel("disabled", f"{model} is disabled; an operator can enable it.")
    return model


def default() -> Model:
    """For a job that names none: the one that was set, else the first enabled `sdxl-checkpoint`,
    else the first enabled model that draws. One that was set and cannot be used is InvalidModel,
    too: another model would draw other images without anybody having asked for it."""
    for chosen in Model.objects.filter(is_default=True).order_by():  # there is one at most
        return checked(chosen)
    for kind in DRAWN:
        first = Model.objects.filter(kind=kind, enabled=True).order_by("created_at", "id").first()
        if first is not None:
            return first
    raise InvalidModel(
        "no_default", "No model is installed and enabled; download one, or enable one."
    )


def named(text: str) -> Model:
    """By its id, its name, or `name@version`: UnknownModel, or Ambiguous when several have it."""
    found = list(_named(text).order_by("created_at")[: NAMED_AT_MOST + 1])
    if not found:
        raise UnknownModel(f"There is no model {text!r}; see model_list.")
    if len(found) > 1:
        raise Ambiguous(f"{text!r} is the name of several models; give an id: {_ids(found)}.")
    return found[0]


def _named(text: str) -> QuerySet[Model]:
    try:
        return Model.objects.filter(pk=uuid.UUID(text))
    except ValueError:
        pass
    text = text.replace("\0", "\ufffd")
    name, at, version = text.rpartition("@")
    exact = Model.objects.filter(name=text)
    return exact | Model.objects.filter(name=name, version=version) if at else exact


def _ids(found: list[Model]) -> str:
    shown = ", ".join(f"{model.pk} ({model.kind} {model})" for model in found[:NAMED_AT_MOST])
    return f"{shown}, …" if len(found) > NAMED_AT_MOST else shown


def folded(text: str) -> str:
    """How `q` and what it looks through are compared: without case or width."""
    return unicodedata.normalize("NFKC", text).casefold()
