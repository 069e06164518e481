"""The only code that writes models: what an installation, an operator or a check has found out.

Each change is one transaction that holds the row. A change that somebody made is written to the
admin's log with what was before and after; all of them go to the service's log.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db import IntegrityError, transaction
from django.utils import timezone

from registry import auditing, parameters, selection, wording
from registry.descriptors import TRUST, TRUSTED, Descriptor, InstalledFile
from registry.errors import CannotEnable, InvalidDescriptor, UnknownModel
from registry.models import Model

log = structlog.get_logger(__name__)

Facts = dict[str, Any]
# From what nobody answers for to what the source itself published.
WEAKEST_FIRST = ("mismatch", "unverified", "overridden", "local", "verified")
NAMED_AT_MOST = 5
# What the log tells of a model before and after a change.
TOLD = ("installed", "enabled", "is_default", "trust", "checkpoint_hash", "local_path")
BYTES = ("installed", "checkpoint_hash", "files_json", "local_path")
RACES = 5


def record(descriptor: Descriptor, *, enable: bool | None = None, by: Any = None) -> Model:
    """Write down what was installed, by (kind, name, version).

    The same bytes once more change nothing: the id and an operator's word on them stay. `enable` is
    taken for a model that could not be used before, or on which nobody has said a word; None leaves
    it as it is, a new one disabled. Files that nobody answers for disable it, whatever was asked.
    """
    descriptor = descriptor.checked()
    facts = _facts(descriptor)
    with transaction.atomic():
        model, is_new = Model.objects.select_for_update().get_or_create(
            kind=descriptor.kind,
            name=descriptor.name,
            version=descriptor.version,
            defaults={"id": _free_id(descriptor.id), **facts},
        )
        unsaid = is_new or model.switched_at is None or not (model.installed and model.trusted)
        changes = {} if _same_bytes(model, facts) else facts
        if enable is not None and unsaid:
            changes = {**changes, **_switched(model, enable)}
        if not _trusted(facts):
            changes = {**changes, "enabled": False}
        _apply(model, changes, "recorded", by, ADDITION if is_new else CHANGE)
    return model


def enable(model_id: uuid.UUID, *, by: Any = None) -> Model:
    """Let jobs use it; CannotEnable with every reason why not."""

    def decide(model: Model) -> Facts:
        reasons = obstacles(model)
        if reasons:
            raise CannotEnable(str(model), reasons)
        return _switched(model, enabled=True)

    return _change(model_id, decide, "enabled", by)


def disable(model_id: uuid.UUID, *, by: Any = None) -> Model:
    """New jobs are refused; one that draws with it goes on."""
    return _change(model_id, lambda model: _switched(model, enabled=False), "disabled", by)


def obstacles(model: Model) -> list[str]:
    """What keeps the model from being enabled, in words."""
    found = [] if model.installed else ["it is not installed"]
    if not model.files_json:
        return [*found, "it has no files"]
    bad = [file for file in model.files if file.trust not in TRUSTED]
    found += [f"{file.path} is {file.trust}" for file in bad[:NAMED_AT_MOST]]
    if len(bad) > NAMED_AT_MOST:
        found.append(f"and {len(bad) - NAMED_AT_MOST} more files likewise")
    return found


def mark_missing(model_id: uuid.UUID, why: str, *, by: Any = None) -> Model:
    """Its files are gone or are others. Nothing brings `enabled` back but an operator."""
    return _change(
        model_id, lambda _model: {"installed": False, "enabled": False}, "missing", by, why=why
    )


def mark_found(model_id: uuid.UUID, *, by: Any = None) -> Model:
    """Its files are where they should be: installed again, and still disabled."""
    return _change(model_id, lambda _model: {"installed": True}, "found", by)


def judge(model_id: uuid.UUID, verdicts: Mapping[str, str], *, by: Any = None) -> Model:
    """Set the trust of files by their paths, after they were hashed again or an operator answered
    for them. A model with a file that is not to be trusted is disabled."""
    with transaction.atomic():
        model = _held(model_id)
        before = {file.path: file.trust for file in model.files}
        files = _judged(model.files, verdicts)
        facts: Facts = {"files_json": [file.to_json() for file in files], "trust": _weakest(files)}
        facts = facts if _trusted(facts) else {**facts, "enabled": False}
        _apply(model, facts, "judged", by, CHANGE, files=auditing.changes(before, verdicts))
    return model


def set_default(model_id: uuid.UUID | None, *, by: Any = None) -> Model | None:
    """What jobs use that name no model; None: the first one that is enabled. Only a model that
    could draw now is taken (InvalidModel)."""
    for _ in range(RACES):
        try:
            with transaction.atomic():
                return _set_default(model_id, by)
        except IntegrityError:  # somebody else has just set another: the last word counts
            continue
    raise UnknownModel("The default model is being changed by many at once; try again.")


def set_defaults(model_id: uuid.UUID, defaults: Facts, *, by: Any = None) -> Model:
    """What a request that says nothing gets from this model; InvalidDefaults when its schema does
    not take one of them. Others stay as they are."""

    with transaction.atomic():
        model = _held(model_id)
        schema = parameters.with_defaults(model.parameters_schema, defaults)
        before = parameters.defaults_of(model.parameters_schema)
        told = auditing.changes(before, dict(sorted(defaults.items())))
        facts = {"parameters_schema": schema}
        _apply(model, facts, "given defaults", by, CHANGE, defaults=told)
    return model


def forget(model_id: uuid.UUID, *, by: Any = None) -> None:
    """Remove the row, whose files are gone; UnknownModel when there is none."""
    with transaction.atomic():
        model = _held(model_id)
        _tell(model, "forgotten", by, DELETION, _told(model), {})
        model.delete()


def used(model_id: uuid.UUID) -> None:
    """A job has begun to draw with it."""
    Model.objects.filter(pk=model_id).update(last_used_at=timezone.now())


def _set_default(model_id: uuid.UUID | None, by: Any) -> Model | None:
    chosen = _held(model_id) if model_id else None
    if chosen is not None:
        selection.checked(chosen)
    for other in Model.objects.select_for_update().filter(is_default=True):
        if other != chosen:
            _apply(other, {"is_default": False}, "no longer default", by, CHANGE)
    if chosen is not None:
        _apply(chosen, {"is_default": True}, "default", by, CHANGE)
    return chosen


def _change(
    model_id: uuid.UUID,
    decide: Callable[[Model], Facts],
    what: str,
    by: Any,
    **context: str,
) -> Model:
    with transaction.atomic():
        model = _held(model_id)
        _apply(model, decide(model), what, by, CHANGE, **context)
    return model


def _held(model_id: uuid.UUID) -> Model:
    model = Model.objects.select_for_update().filter(pk=model_id).first()
    if model is None:
        raise UnknownModel(f"There is no model {model_id}.")
    return model


def _switched(model: Model, enabled: bool) -> Facts:
    """Saying again what was said moves nothing."""
    said = model.switched_at if model.enabled is enabled else None
    return {"enabled": enabled, "switched_at": said or timezone.now()}


def _apply(model: Model, facts: Facts, what: str, by: Any, flag: int, **context: str) -> None:
    """Write what differs and tell of it; what is so already is told to nobody."""
    before = {} if flag == ADDITION else _told(model)
    changes = {name: value for name, value in facts.items() if getattr(model, name) != value}
    for name, value in changes.items():
        setattr(model, name, value)
    if changes:
        model.updated_at = timezone.now()
        model.save(update_fields=[*changes, "updated_at"])
    if changes or flag == ADDITION:
        _tell(model, what, by, flag, before, _told(model), **context)


def _tell(
    model: Model, what: str, by: Any, flag: int, before: Facts, after: Facts, **context: str
) -> None:
    differs = [name for name in TOLD if before.get(name) != after.get(name)]
    cut = {name: auditing.line(text, auditing.LONGEST) for name, text in context.items()}
    told = {
        "before": {name: before[name] for name in differs if name in before},
        "after": {name: after[name] for name in differs if name in after},
    }
    facts = {"model_id": str(model.pk), "model": str(model), "kind": model.kind, **told, **cut}
    event = f"model_{what.replace(' ', '_')}"
    transaction.on_commit(partial(log.info, event, **facts))
    message = auditing.sentence(what, _moved(before, after), *context.values())
    auditing.note(model, by, message, flag)


def _moved(before: Facts, after: Facts) -> str:
    """For people: what differs, and all of a model that is new or gone."""
    if before and after:
        return auditing.changes(_in_words(before), _in_words(after))
    return auditing.facts(_in_words(before or after))


def _in_words(told: Facts) -> Facts:
    state = wording.state(told["installed"], told["enabled"])
    return {
        "": f"{state}, the default" if told["is_default"] else state,
        "trust": told["trust"],
        "checkpoint": told["checkpoint_hash"],
        "folder": told["local_path"],
    }


def _told(model: Model) -> Facts:
    return {name: getattr(model, name) for name in TOLD}


def _facts(descriptor: Descriptor) -> Facts:
    files = sorted(descriptor.files, key=lambda file: file.path)
    named = f"{descriptor.name} {descriptor.version} {descriptor.source_uri}"
    return {
        "installed": descriptor.installed,
        "checkpoint_hash": descriptor.checkpoint_hash,
        "source_uri": descriptor.source_uri,
        "local_path": descriptor.local_path,
        "parameters_schema": dict(descriptor.parameters_schema),
        "capabilities": dict(descriptor.capabilities),
        "files_json": [file.to_json() for file in files],
        "provenance": dict(descriptor.provenance),
        "schema_version": descriptor.schema_version,
        "size_bytes": descriptor.size_bytes,
        "trust": _weakest(files),
        "search_text": selection.folded(named),
    }


def _same_bytes(model: Model, facts: Facts) -> bool:
    return all(getattr(model, name) == facts[name] for name in BYTES)


def _trusted(facts: Facts) -> bool:
    return facts["trust"] in TRUSTED and facts.get("installed", True)


def _weakest(files: list[InstalledFile]) -> str:
    """No file at all is nothing that anybody answers for."""
    return min((file.trust for file in files), key=WEAKEST_FIRST.index, default="unverified")


def _judged(files: tuple[InstalledFile, ...], verdicts: Mapping[str, str]) -> list[InstalledFile]:
    unknown = sorted(verdicts.keys() - {file.path for file in files})
    if unknown:
        raise InvalidDescriptor(f"The model has no file {unknown[0]!r}.")
    wrong = sorted(set(verdicts.values()) - set(TRUST))
    if wrong:
        raise InvalidDescriptor(f"{wrong[0]!r} is no trust state; known: {', '.join(TRUST)}.")
    return [replace(file, trust=verdicts.get(file.path, file.trust)) for file in files]


def _free_id(wanted: uuid.UUID) -> uuid.UUID:
    """A copied folder brings the id of the model it was copied from."""
    return uuid.uuid4() if Model.objects.filter(pk=wanted).exists() else wanted
