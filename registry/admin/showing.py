"""A model's facts in the words and tables of its page: functions of values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from registry.descriptors import InstalledFile
from registry.parameters import ADJUSTABLE

FILES_SHOWN = 500
NUMBERS = ("integer", "number")
RANGES = (("minimum", "maximum", ""), ("minLength", "maxLength", " characters"))


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
    return {
        "name": name,
        "type": str(said.get("type", "any")),
        "range": ", ".join(_limits(said)) or ", ".join(map(str, _words(said.get("enum")))) or "-",
        "default": _text(said["default"]) if "default" in said else "-",
        "description": str(said.get("description", "")),
    }


def adjustable(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of the form for a model's own defaults."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return [
        _field(name, known[name]) for name in ADJUSTABLE if isinstance(known.get(name), Mapping)
    ]


def _field(name: str, about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": about.get("title", name),
        "value": about.get("default", ""),
        "choices": _words(about.get("enum")),
        "number": about.get("type") in NUMBERS,
        "minimum": about.get("minimum"),
        "maximum": about.get("maximum"),
        "step": about.get("multipleOf", 1 if about.get("type") == "integer" else "any"),
    }


def given(form: Mapping[str, Any]) -> dict[str, Any]:
    """The form's fields as JSON has them: a number where it can be one, so that the schema judges
    the value and not its spelling."""
    texts = {name: str(form[name]) for name in ADJUSTABLE if name in form}
    return {
        name: text if name in ("negative_prompt", "scheduler") else _number(text)
        for name, text in texts.items()
    }


def _number(text: str) -> Any:
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            continue
    return text


def _limits(said: Mapping[str, Any]) -> Iterator[str]:
    for least, most, unit in RANGES:
        if least in said and most in said:
            yield f"{said[least]} to {said[most]}{unit}"
        elif least in said or most in said:
            word = f"at least {said[least]}" if least in said else f"at most {said[most]}"
            yield f"{word}{unit}"
    if "multipleOf" in said:
        yield f"multiples of {said['multipleOf']}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def provenance(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value; what is not a text is JSON."""
    return [(name, _text(value)) for name, value in sorted(facts.items())]


def web_page(facts: Mapping[str, Any]) -> str | None:
    """Where people can read about it, if that is an address a browser may be sent to."""
    page = facts.get("page")
    return page if isinstance(page, str) and page.startswith(("https://", "http://")) else None


def _words(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
