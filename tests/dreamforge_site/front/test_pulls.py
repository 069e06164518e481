"""A request that is asked again when its job is over."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dreamforge_site.front import pulls
from dreamforge_site.front.bridge import Answer
from dreamforge_site.front.handoffs import Exchange

pytestmark = pytest.mark.pure
MARK = b"x-forge-pulled"


class Over:
    """The job of it is over already."""

    over, stopped = True, False

    def __init__(self, _job_id: uuid.UUID) -> None:
        pass


class Asked:
    """A bridge that keeps what it is asked."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    async def ask(self, scope: Any, _body: bytes, *, admitted: bool) -> Answer:
        self.headers = scope["headers"]
        return Answer()

    async def give(self, _answer: Answer, _send: Any) -> None:
        pass


def test_mark_that_a_client_sent_itself_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def watching(*_: object) -> Any:
        yield

    async def nobody(*_: object) -> Any:
        return {"type": "http.disconnect"}

    monkeypatch.setattr(pulls, "Watcher", Over)
    monkeypatch.setattr(pulls, "watching", watching)
    job_id, bridge = str(uuid.uuid4()), Asked()
    scope = {"headers": [(b"accept", b"*/*"), (MARK, b"another's")]}
    exchange = Exchange(scope, nobody, nobody, bridge, print)  # type: ignore[arg-type]
    ticket = {"job_id": job_id, "seconds": 1, "header": MARK.decode()}
    asyncio.run(pulls.serve(ticket, Answer(), exchange))
    assert [value for name, value in bridge.headers if name == MARK] == [job_id.encode()]
    assert (b"accept", b"*/*") in bridge.headers
