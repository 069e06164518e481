"""What a job's code says, made into what every database can keep: functions of values.

PostgreSQL takes no NUL and no half of a surrogate pair, JSON no NaN and no object; an executor
passes on what it read from a file or a server. A sentence that cannot be stored as it is must not
cost the job its attempt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

TEXT_LIMIT = 20_000
ITEMS_LIMIT = 200
DEPTH_LIMIT = 6
REPLACEMENT = "\ufffd"


def text(value: str, limit: int = TEXT_LIMIT) -> str:
    whole = value.encode("utf-8", "replace").decode() if _has_surrogates(value) else value
    whole = whole.replace("\x00", REPLACEMENT)
    return whole if len(whole) <= limit else whole[:limit] + "…"


def data(value: Any, depth: int = DEPTH_LIMIT) -> Any:
    """`value` as JSON: what JSON does not know becomes its text, what is too big is cut."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return text(value)
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:ITEMS_LIMIT]
        return {text(str(key)): data(part, depth - 1) for key, part in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [data(part, depth - 1) for part in list(value)[:ITEMS_LIMIT]]
    return text(str(value))


def _has_surrogates(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False
