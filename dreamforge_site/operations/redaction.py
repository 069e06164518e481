"""What a log line may hold: plain JSON values, one line's worth of text, and no secret.

Two nets, because each has holes: values under a name that sounds secret are dropped whatever they
are, and text is searched for the secrets this process knows and for the shapes secrets have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

MASK = "***"
LONGEST_TEXT = 16_384
MARGIN = 4096
DEEPEST = 6
MOST_ITEMS = 200
# Shorter ones ("admin") would blank out ordinary words.
SHORTEST_SECRET = 6

_NAMES_OF_SECRETS = (
    r"password|passwd|secret|token|authorization|cookie|api[-_]?key|access[-_]?key"
    r"|private[-_]?key|credential|signature|session[-_]?id"
)
_SECRET_NAME = re.compile(_NAMES_OF_SECRETS, re.IGNORECASE)
# Facts about a secret are not the secret.
_HARMLESS_NAME = re.compile(
    r"(_set|_ttl_s|_count|_scope|(?<!session)(?<!access_key)_id|_prefix|_type|tokens)$",
    re.IGNORECASE,
)
# A client writes parts of what is logged: every repetition is bounded and begins at one place only,
# or one request would hold the interpreter for seconds.
_SHAPES = (
    # A word of letters alone after "basic" is prose.
    (
        re.compile(r"(?i)\b(bearer|basic)\s{1,8}(?=\S*[0-9=._-])[A-Za-z0-9._~+/=-]{6,}"),
        rf"\1 {MASK}",
    ),
    (
        re.compile(r"(?<![\w-])eyJ[\w-]{1,4096}\.[\w-]{1,4096}\.[\w-]{0,4096}", re.ASCII),
        MASK,
    ),
    (re.compile(r"\b(dfk|hf)_[A-Za-z0-9_-]{8,}"), rf"\1_{MASK}"),
    (
        re.compile(r"(?<![\w+.-])([a-z][a-z0-9+.-]{0,31}://)[^/\s@]{0,512}@", re.I | re.ASCII),
        rf"\1{MASK}@",
    ),
    (
        re.compile(
            rf"(?i)((?:{_NAMES_OF_SECRETS})[\"']?\s{{0,8}}[=:]\s{{0,8}}[\"']?(?:(?:bearer|basic)\s{{1,8}})?)"
            r"[^\s\"'&,;<>]+"
        ),
        rf"\1{MASK}",
    ),
)
# Most texts of a log line are single words: they skip the search.
_MAY_HAVE_A_SHAPE = re.compile(r"[\s=:]|eyJ|dfk_|hf_")


class Redactor:
    """Turns any value into one that is safe to write; never raises."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """`text` without its secrets, its middle left out when it is long. What is left out is not
        searched; a secret cut by the knife lies in the margin, which goes too."""
        if len(text) <= LONGEST_TEXT:
            return self._searched(text)
        half = LONGEST_TEXT // 2
        head = self._searched(text[: half + MARGIN])[:half]
        tail = self._searched(text[-half - MARGIN :])[-half:]
        return f"{head} … {len(text) - LONGEST_TEXT} characters left out … {tail}"

    def _searched(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if _MAY_HAVE_A_SHAPE.search(text):
            for shape, replacement in _SHAPES:
                text = shape.sub(replacement, text)
        return text

    def value(self, value: Any, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, float):
            return value if abs(value) < float("inf") else repr(value)
        if depth < DEEPEST and isinstance(value, Mapping):
            return self._mapping(value, depth)
        if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, depth + 1) for item in list(value)[:MOST_ITEMS]]
        return self.text(_described(value))

    def _mapping(self, mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        items = list(mapping.items())[:MOST_ITEMS]
        return {
            self.text(str(name)): self.named(str(name), item, depth + 1) for name, item in items
        }

    def named(self, name: str, value: Any, depth: int = 0) -> Any:
        return MASK if _is_secret_name(name) and value is not None else self.value(value, depth)


def _is_secret_name(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name)


def _forms(secret: str) -> set[str]:
    """How a secret may look inside a text: as it is, in a URL, in a repr, in JSON."""
    secret = secret.strip()
    forms = {secret, quote(secret, safe=""), repr(secret)[1:-1], unquote(secret)}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


def url_password(url: str) -> str:
    """The password inside an address, empty when there is none."""
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _described(value: object) -> str:
    try:
        return str(value) if isinstance(value, BaseException) else repr(value)
    except Exception as error:  # noqa: BLE001  any object may be logged, whatever its repr does
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
