"""The admin's log: who changed what, whichever door they came by.

An entry is written where the change is made, in its transaction, so that no door can forget it. It
needs a user: what the service does by itself, and what a command does without `--as`, stands in
the service's own log alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

LONGEST = 1_000
LONGEST_NAME = 200
LONGEST_VALUE = 80
# What somebody wants drawn is nobody else's: that it changed is told, and not what it says.
UNTOLD = frozenset({"prompt", "negative_prompt"})


def note(thing: Model, by: Any, message: str, flag: int = CHANGE) -> None:
    """What `by` did to the thing; nothing where there is no user."""
    _write(by, type(thing), str(thing.pk), str(thing), message, flag)


def note_place(kind: type[Model], name: str, by: Any, message: str) -> None:
    """About what has no row of its own: it stands among the entries about `kind`."""
    _write(by, kind, None, name, message, CHANGE)


def moved(before: str, after: str) -> str:
    """One state that was changed, or was so already."""
    return f"{before} → {after}" if before != after else f"{after} as before"


def sentence(done: str, *parts: str) -> str:
    """What was done, and its particulars, of which any may be empty."""
    particulars = "; ".join(part for part in parts if part)
    return f"{done}: {particulars}." if particulars else f"{done}."


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What differs by name, with both values; the name "" is not written."""
    names = [name for name in after if before.get(name) != after[name]]
    return "; ".join(_change(name, before.get(name), after[name]) for name in names)


def facts(values: Mapping[str, Any]) -> str:
    """By name what is so; what is empty is left out."""
    given = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    return "; ".join(f"{_named(name)}{shown(value)}" for name, value in given.items())


def shown(value: Any) -> str:
    """A value as it stands in a line, cut to what people read."""
    if value in (None, ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return line(text, LONGEST_VALUE)


def line(text: str, longest: int) -> str:
    """One line of what can be printed: no control characters, no text turned around."""
    printed = "".join(char if char.isprintable() else " " for char in text[: 4 * longest])
    words = " ".join(printed.split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def _change(name: str, before: Any, after: Any) -> str:
    if name in UNTOLD:
        return f"{name} changed"
    return f"{_named(name)}{shown(before)} → {shown(after)}"


def _named(name: str) -> str:
    return f"{name}: " if name else ""


def _write(
    by: Any, kind: type[Model], object_id: str | None, name: str, message: str, flag: int
) -> None:
    if getattr(by, "pk", None) is None:
        return
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(kind),
        object_id=object_id,
        object_repr=line(name, LONGEST_NAME),
        action_flag=flag,
        change_message=line(message, LONGEST),
    )
