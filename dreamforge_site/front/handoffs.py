"""Answers that Django allows and asyncio gives.

A view that has checked the caller may hand the rest of the answer to a coroutine, as
X-Accel-Redirect hands a file to a front server: it answers with the header below, which names a
handler of settings.HANDOFFS and a ticket for it. The header never reaches a client.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from dreamforge_site.front.bodies import Receive, Scope, Send
from dreamforge_site.front.bridge import Answer, Bridge

HEADER = b"x-forge-handoff"
REPLACED_HEADERS = (b"x-request-id", b"x-client-request-id", b"prefer")
Ticket = dict[str, Any]


@dataclass(frozen=True)
class Handoff:
    name: str
    ticket: Ticket
    answer: Answer  # what Django said so far, without the header


@dataclass(frozen=True)
class Exchange:
    """The client's side of the connection, and a way to ask Django again in the client's name."""

    scope: Scope
    receive: Receive
    send: Send
    bridge: Bridge

    async def ask(self, path: str, request_id: bytes) -> Answer:
        """GET `path`, as the same caller and under the same request id."""
        headers = [(n, v) for n, v in self.scope["headers"] if n not in REPLACED_HEADERS]
        again = {
            **self.scope,
            "method": "GET",
            "path": path,
            "raw_path": path.encode("ascii"),
            "query_string": b"",
            "headers": [*headers, (b"x-request-id", request_id)],
        }
        return await self.bridge.ask(again, b"")

    async def give(self, answer: Answer) -> None:
        await self.bridge.give(answer, self.send)


Handler = Callable[[Ticket, Answer, Exchange], Awaitable[None]]


def find(answer: Answer) -> Handoff | None:
    for name, value in answer.headers:
        if name == HEADER:
            kind, _, ticket = value.decode("latin-1").partition(" ")
            answer.headers = [(n, v) for n, v in answer.headers if n != HEADER]
            return Handoff(kind, json.loads(ticket), answer)
    return None


async def serve(handoff: Handoff, exchange: Exchange) -> None:
    await _handler(handoff.name)(handoff.ticket, handoff.answer, exchange)


@cache
def _handler(name: str) -> Handler:
    found: Handler = import_string(settings.HANDOFFS[name])
    return found
