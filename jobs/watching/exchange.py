"""What the web's front gives to a handler here, described so that nobody need import the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Answer(Protocol):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


class Exchange(Protocol):
    @property
    def send(self) -> Send: ...

    @property
    def closing(self) -> bool:
        """The server is about to stop."""

    async def over(self) -> None:
        """Until the client has left or the server is closing."""

    def told(self, events: int) -> None:
        """Count what the client was given."""

    async def ask(self, path: str, request_id: bytes) -> Answer: ...

    async def give(self, answer: Any) -> None: ...
