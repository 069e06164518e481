"""How long to wait before asking again: what the server says, else longer each time."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_SPENT = re.compile(r"(?:^|[;,\s])r=0(?:[;,\s].*?)?[;,\s]t=(\d{1,9})")
_FIRST_S = 0.25
_LONGEST_S = 20.0


def backoff_s(failures: int) -> float:
    """After the first, second, … failure in a row; half of it is chance, so that many who failed
    together do not come back together."""
    ceiling = min(_LONGEST_S, _FIRST_S * 2.0 ** (min(failures, 10) - 1))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 (spreads load, guards nothing)


def asked_for_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds until the server wants to hear from us again; None when it does not say."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    until = _date(said)
    if until is not None:
        return max(0.0, until - (time.time() if now is None else now))
    return _reset_s(headers)


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """`RateLimit: "api";r=0;t=42`, or the older `RateLimit-Reset: 42`: only when nothing is left,
    as they come with every answer."""
    reset = headers.get("ratelimit-reset", "").strip()
    if reset.isascii() and reset.isdigit() and headers.get("ratelimit-remaining", "0") == "0":
        return float(reset[:9])
    found = _SPENT.search(headers.get("ratelimit", ""))
    return float(found[1]) if found else None


def _date(text: str) -> float | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
