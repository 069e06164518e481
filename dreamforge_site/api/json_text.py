"""From the bytes of a body to one JSON object, refusing what decoders usually let through.

Not accepted: NaN and infinities, numbers nothing can hold, duplicate keys, deep nesting, any other
encoding than UTF-8, anything but an object at the top (all `malformed_request`); NUL characters and
lone surrogates in a string (`invalid_input`, naming the field: no database stores them).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Never

from dreamforge_site.api.errors import MAX_NAME_CHARS, invalid_fields, malformed, shortened

MAX_DEPTH = 64
MAX_NUMBER_CHARS = 100
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def parse_object(body: bytes) -> dict[str, Any]:
    """The object `body` holds, or ApiError."""
    try:
        value = _decoder().decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise malformed("The body is not UTF-8.") from None
    except RecursionError:
        raise malformed(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise malformed(f"The body is not valid JSON: {error.msg} at {place}.") from None
    if not isinstance(value, dict):
        raise malformed("The body must be a JSON object.")
    _refuse_unstorable(value)
    return value


@cache
def _decoder() -> json.JSONDecoder:
    """One for all: `json.loads` would make one for each body."""
    return json.JSONDecoder(
        parse_constant=_refuse_constant,
        parse_float=_float,
        parse_int=_int,
        object_pairs_hook=_object,
    )


def printable(name: str) -> str:
    """A client's name for something, safe to repeat in an answer."""
    short = shortened(name, MAX_NAME_CHARS)
    return short.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _refuse_constant(name: str) -> Never:
    raise malformed(f"The body is not valid JSON: {name} is no JSON number.")


def _float(text: str) -> float:
    value = float(text) if len(text) <= MAX_NUMBER_CHARS else math.inf
    if math.isinf(value):
        raise malformed("The body holds a number that is out of range.")
    return value


def _int(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARS:
        raise malformed("The body holds a number that is out of range.")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise malformed(f"The body names {printable(name)!r} twice.")
        found[name] = value
    return found


def _refuse_unstorable(body: dict[str, Any]) -> None:
    faults: dict[str, list[str]] = {}
    for name, value in body.items():
        if _unstorable(name) or any(_unstorable(text) for text in _strings(value)):
            faults[printable(name)] = ["NUL characters and lone surrogates are not allowed."]
    if faults:
        raise invalid_fields(faults)


def _unstorable(text: str) -> bool:
    return UNSTORABLE.search(text) is not None


def _strings(value: Any) -> Iterator[str]:
    """Every string and key below `value`; an explicit stack, because the depth is the client's."""
    pending = [(value, 2)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise malformed(f"The body is nested deeper than {MAX_DEPTH} levels.")
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            pending += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            pending += [(child, depth + 1) for child in item]
