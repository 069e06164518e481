"""Request bodies: read whole, within a size and a time, before any thread is spent on them.

settings.BODY_LIMITS names the addresses that take more than the others. What is larger than usual
is counted until it was answered, not only until it has arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from dreamforge_site.api.errors import ApiError, malformed

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LIMIT_BYTES = 1_048_576
BUDGET_BYTES = 64 * LIMIT_BYTES  # what one process holds of bodies that are still arriving
ARRIVAL_TIMEOUT_S = 30.0
# And of bodies of the addresses that take more.
LARGE_BUDGET_BYTES = 128 * LIMIT_BYTES
LARGE_ARRIVAL_TIMEOUT_S = 120.0


class Disconnected(Exception):
    """The client went away; nobody is left to answer."""


@dataclass
class _Ledger:
    """What is held of bodies of one sort, and how much that may be."""

    budget_bytes: int
    arrival_timeout_s: float
    held_bytes: int = 0


class Intake:
    """Reads bodies, and holds no more of them at a time than its two budgets allow."""

    def __init__(self) -> None:
        self._usual = _Ledger(BUDGET_BYTES, ARRIVAL_TIMEOUT_S)
        self._large = _Ledger(LARGE_BUDGET_BYTES, LARGE_ARRIVAL_TIMEOUT_S)

    @asynccontextmanager
    async def body(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """The request's body, for as long as it takes to answer it."""
        limit = settings.BODY_LIMITS.get(scope["path"], LIMIT_BYTES)
        announced = _announced_length(scope["headers"])
        if announced is not None and announced > limit:
            raise _too_large(limit)
        if limit <= LIMIT_BYTES:
            yield await _read(receive, limit, self._usual)
            return
        body = await _read(receive, limit, self._large)
        self._large.held_bytes += len(body)
        try:
            yield body
        finally:
            self._large.held_bytes -= len(body)


async def _read(receive: Receive, limit: int, ledger: _Ledger) -> bytes:
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(ledger.arrival_timeout_s):
            await _collect(receive, parts, limit, ledger)
    except TimeoutError:
        within = f"{ledger.arrival_timeout_s:.0f} s"
        raise malformed(f"The body did not arrive within {within}; send it again.") from None
    finally:
        ledger.held_bytes -= sum(map(len, parts))
    return b"".join(parts)


async def _collect(receive: Receive, parts: list[bytes], limit: int, ledger: _Ledger) -> None:
    size_bytes, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        more = message.get("more_body", False)
        parts.append(part)
        size_bytes += len(part)
        ledger.held_bytes += len(part)
        if size_bytes > limit:
            raise _too_large(limit)
        if more and ledger.held_bytes > ledger.budget_bytes:
            raise ApiError("infra_unavailable", "Too many bodies arrive at once; try again.")


def _announced_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _too_large(limit: int) -> ApiError:
    return ApiError("payload_too_large", f"The body is larger than {limit} bytes.")
