"""Request bodies: read whole, within a size and a time, before any thread is spent on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from dreamforge_site.api.errors import ApiError, malformed

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

API_LIMIT_BYTES = 1_048_576
PAGE_LIMIT_BYTES = 16_777_216
ARRIVAL_TIMEOUT_S = 30.0
API_PREFIXES = ("/v1/", "/openai/", "/hf/")


class Disconnected(Exception):
    """The client went away; nobody is left to answer."""


def limit_for(path: str) -> int:
    return API_LIMIT_BYTES if path.startswith(API_PREFIXES) else PAGE_LIMIT_BYTES


async def read(scope: Scope, receive: Receive) -> bytes:
    limit = limit_for(scope["path"])
    announced = _announced_length(scope["headers"])
    if announced is not None and announced > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
            return await _collect(receive, limit)
    except TimeoutError:
        message = f"The body did not arrive within {ARRIVAL_TIMEOUT_S:.0f} s; send it again."
        raise malformed(message) from None


async def _collect(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _announced_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _too_large(limit: int) -> ApiError:
    return ApiError("payload_too_large", f"The body is larger than {limit} bytes.")
