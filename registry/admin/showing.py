"""A model's facts in the words and tables of its page: functions of values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from registry.descriptors import InstalledFile

FILES_SHOWN = 500
LIMITS = (
    ("minimum", "from {}"),
    ("maximum", "to {}"),
    ("multipleOf", "multiples of {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
)


def trust(files: Iterable[InstalledFile]) -> str:
    """How many files of each state."""
    counted = Counter(file.trust for file in files)
    return ", ".join(f"{count} {word}" for word, count in counted.most_common()) or "no files"


def parameters(schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """A line a parameter, in the order for people."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return []
    first = [name for name in _words(schema.get("x-order")) if name in properties]
    names = [*first, *(name for name in properties if name not in first)]
    return [_parameter(name, properties[name]) for name in names]


def _parameter(name: str, given: Any) -> dict[str, str]:
    said = given if isinstance(given, Mapping) else {}
    limits = [text.format(said[key]) for key, text in LIMITS if key in said]
    choices = [str(choice) for choice in _words(said.get("enum"))]
    return {
        "name": name,
        "type": str(said.get("type", "any")),
        "range": ", ".join(limits or choices) or "-",
        "default": json.dumps(said["default"], ensure_ascii=False) if "default" in said else "-",
        "description": str(said.get("description", "")),
    }


def provenance(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value; what is not a text is JSON."""
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in sorted(facts.items())
    ]


def web_page(facts: Mapping[str, Any]) -> str | None:
    """Where people can read about it, if that is an address a browser may be sent to."""
    page = facts.get("page")
    return page if isinstance(page, str) and page.startswith(("https://", "http://")) else None


def _words(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
