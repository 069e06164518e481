"""The two things an operator configures for a hub, an address and a token, checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from downloader.library.errors import Refused

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


def endpoint_of(settings: Mapping[str, str], default: str, variable: str) -> str:
    """An http(s) address without a slash at its end. The message never shows what was wrong in it:
    it may hold a password."""
    text = (settings.get("endpoint") or default).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.query or parts.fragment or parts.username is not None:
        raise Refused(
            f"{variable} is not an address: it takes http(s)://host, with no user and no query."
        )
    return text


def token_of(settings: Mapping[str, str], variable: str) -> str | None:
    """The token, or None. One that cannot be sent in a header is refused without being shown."""
    token = (settings.get("token") or "").strip()
    if token and not _TOKEN.fullmatch(token):
        raise Refused(f"{variable} holds characters that no token has; set it again.")
    return token or None
