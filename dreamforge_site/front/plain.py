"""Which requests are plain: a POST with one API key, an Idempotency-Key and a JSON body, and with
no header that could ask for anything else. A header that is not listed here is one that could."""

from __future__ import annotations

from dreamforge_site.accounts import keys
from dreamforge_site.front.bodies import Scope

# What a request may say here…
READ = frozenset(
    {
        b"accept",
        b"authorization",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"x-api-key",
        b"x-client-request-id",
        b"x-request-id",
    }
)
# …and what nothing behind the front looks at when the caller has an API key.
UNREAD = frozenset(
    {
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-length",
        b"forwarded",
        b"pragma",
        b"user-agent",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
    }
)
JSON_TYPES = frozenset({b"application/json", b"application/json; charset=utf-8"})
ACCEPTED = frozenset({b"*/*", b"application/json", b"application/json, text/plain, */*"})
BEARER = b"Bearer " + keys.MARK.encode()


def headers(scope: Scope) -> dict[bytes, bytes] | None:
    """By name, those that are read; None unless this is a plain call."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in UNREAD:
            continue
        if name not in READ or name in found:
            return None
        found[name] = value
    by_bearer = found.get(b"authorization", b"").startswith(BEARER)
    by_key = b"x-api-key" in found
    is_plain = (
        by_bearer != by_key
        and (by_bearer or b"authorization" not in found)
        and found.get(b"content-type", b"").lower() in JSON_TYPES
        and found.get(b"accept", b"*/*") in ACCEPTED
        and b"idempotency-key" in found
        and b"host" in found
    )
    return found if is_plain else None
