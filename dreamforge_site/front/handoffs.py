"""Answers that Django allows and asyncio gives.

A view that has checked the caller may hand the rest of the answer to a coroutine, as
X-Accel-Redirect hands a file to a front server: it answers with the header below, which names a
handler of settings.HANDOFFS and a ticket for it. Only Django's answer is looked at for it, never a
request, and the header never reaches a client.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from dreamforge_site.front import measures
from dreamforge_site.front.bodies import Receive, Scope, Send
from dreamforge_site.front.bridge import Answer, Bridge
from dreamforge_site.front.connections import IN_STATE

HEADER = b"x-forge-handoff"
ANSWER_HEAD = ("pull",)  # handlers that ask Django again, and then know what to say
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
    told: Callable[[int], None]

    @property
    def closing(self) -> bool:
        return getattr(self.scope.get("state", {}).get(IN_STATE), "closing", False)

    async def over(self) -> None:
        while not self.closing and (await self.receive())["type"] != "http.disconnect":
            pass

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
        return await self.bridge.ask(again, b"", admitted=True)

    async def give(self, answer: Answer) -> None:
        await self.bridge.give(answer, self.send)


Handler = Callable[[Ticket, Answer, Exchange], Awaitable[None]]


def find(answer: Answer) -> Handoff | None:
    for name, value in answer.headers:
        if name == HEADER:
            kind, _, ticket = value.decode("latin-1").partition(" ")
            _handler(kind)  # a name that is not in the table fails before anything was sent
            answer.headers = [(n, v) for n, v in answer.headers if n != HEADER]
            return Handoff(kind, json.loads(ticket), answer)
    return None


async def serve(handoff: Handoff, scope: Scope, receive: Receive, send: Send, to: Bridge) -> None:
    exchange = Exchange(scope, receive, send, to, _tally(handoff.name).add)
    with measures.OPEN.labels(handoff.name).track_inprogress():
        await _handler(handoff.name)(handoff.ticket, handoff.answer, exchange)


@cache
def _tally(kind: str) -> measures.Tally:
    return measures.Tally(kind)


@cache
def _handler(name: str) -> Handler:
    found: Handler = import_string(settings.HANDOFFS[name])
    return found
