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

LIMIT_BYTES = 1_048_576
BUDGET_BYTES = 64 * LIMIT_BYTES  # what one process holds of bodies that are still arriving
ARRIVAL_TIMEOUT_S = 30.0


class Disconnected(Exception):
    """The client went away; nobody is left to answer."""


class Intake:
    """Reads bodies, and holds no more of them at a time than BUDGET_BYTES."""

    def __init__(self) -> None:
        self._held_bytes = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        announced = _announced_length(scope["headers"])
        if announced is not None and announced > LIMIT_BYTES:
            raise _too_large()
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
                await self._collect(receive, parts)
        except TimeoutError:
            message = f"The body did not arrive within {ARRIVAL_TIMEOUT_S:.0f} s; send it again."
            raise malformed(message) from None
        finally:
            self._held_bytes -= sum(map(len, parts))
        return b"".join(parts)

    async def _collect(self, receive: Receive, parts: list[bytes]) -> None:
        size_bytes, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            more = message.get("more_body", False)
            parts.append(part)
            size_bytes += len(part)
            self._held_bytes += len(part)
            if size_bytes > LIMIT_BYTES:
                raise _too_large()
            if more and self._held_bytes > BUDGET_BYTES:
                raise ApiError("infra_unavailable", "Too many bodies arrive at once; try again.")


def _announced_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _too_large() -> ApiError:
    return ApiError("payload_too_large", f"The body is larger than {LIMIT_BYTES} bytes.")
