"""What the web's front gives to a handler here, described so that nobody need import the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Answer(Protocol):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


class Exchange(Protocol):
    @property
    def send(self) -> Send: ...

    @property
    def receive(self) -> Receive: ...

    async def ask(self, path: str, request_id: bytes) -> Answer: ...

    async def give(self, answer: Any) -> None: ...
