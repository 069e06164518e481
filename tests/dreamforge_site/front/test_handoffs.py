"""Who may hand an answer over, to whom, and what a client sees of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dreamforge_site.front import handoffs
from dreamforge_site.operations import metrics
from tests.dreamforge_site.front.test_front import (
    Environ,
    Messages,
    Program,
    Whole,
    ask,
    envelope_of,
    front_of,
    run,
    scope,
)

pytestmark = pytest.mark.pure
GET = {"method": "GET"}


async def handler(ticket: dict[str, Any], answer: Any, exchange: Any) -> None:
    headers = [(b"x-ticket", str(ticket["of"]).encode())]
    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    await exchange.send({"type": "http.response.body", "body": b"handed over"})


@pytest.fixture(autouse=True)
def table(settings: Settings) -> Iterator[None]:
    metrics.join()
    handoffs._handler.cache_clear()
    settings.HANDOFFS = {"here": f"{__name__}.handler"}
    yield
    handoffs._handler.cache_clear()


class Handing(Program):
    """A program that answers with the header a view would set."""

    def __init__(self, value: str) -> None:
        super().__init__()
        self.value = value

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Any:
        self.seen.append(environ)
        start_response("200 OK", [("X-Forge-Handoff", self.value), ("Content-Length", "0")])
        return Whole([b""])


def test_answer_is_handed_to_the_handler_with_its_ticket() -> None:
    messages = run(ask(front_of(Handing('here {"of": 7}')), scope(**GET)))
    assert messages[0]["headers"] == [(b"x-ticket", b"7")]
    assert messages[1]["body"] == b"handed over"


def test_header_of_a_request_hands_nothing_over() -> None:
    headers = [(b"x-forge-handoff", b'here {"of": 7}')]
    messages = run(ask(front_of(Program()), scope(headers=headers)))
    assert messages[1]["body"] == b"hello"


def test_header_echoed_in_a_body_hands_nothing_over() -> None:
    program = Program(lambda _environ: Whole([b"\r\nX-Forge-Handoff: here {}\r\n\r\n"]))
    messages = run(ask(front_of(program), scope(**GET)))
    assert messages[1]["body"].startswith(b"\r\nX-Forge")


@pytest.mark.parametrize("value", ["os.system {}", "elsewhere {}", "here not-json", ""])
def test_handler_outside_the_table_or_a_broken_ticket_is_an_internal_error(value: str) -> None:
    messages = run(ask(front_of(Handing(value)), scope(**GET)))
    assert messages[0]["status"] == 500
    assert envelope_of(messages)["code"] == "internal"
    assert b"x-forge-handoff" not in dict(messages[0]["headers"])


def test_head_is_told_the_headers_without_starting_the_handler() -> None:
    messages = run(ask(front_of(Handing('here {"of": 7}')), scope(method="HEAD")))
    assert messages[0]["status"] == 200
    assert messages[0]["headers"] == []
    assert messages[1]["body"] == b""


def test_program_that_fails_is_answered_with_the_envelope() -> None:
    def fail(_environ: Environ) -> Any:
        raise OSError("no more files")

    messages = run(ask(front_of(Program(fail)), scope()))
    assert messages[0]["status"] == 500
    assert envelope_of(messages)["code"] == "internal"
    assert "no more files" not in messages[1]["body"].decode()


def test_stream_that_django_opens_for_a_canceled_request_is_closed() -> None:
    may_answer, closed, asked = threading.Event(), threading.Event(), threading.Event()

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            yield b"never drawn"

        def close(self) -> None:
            closed.set()

    def answer(_environ: Environ) -> Stream:
        asked.set()
        may_answer.wait(10)
        return Stream()

    async def story() -> None:
        task = asyncio.create_task(ask(front_of(Program(answer)), scope()))
        await asyncio.to_thread(asked.wait, 10)
        task.cancel()
        await asyncio.wait([task])
        may_answer.set()

    asyncio.run(story())
    assert closed.wait(10)


def test_early_refusal_may_be_read_by_pages_of_allowed_origins(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://pages.example"]
    headers = [(b"content-length", b"9999999"), (b"origin", b"https://pages.example")]
    start, _ = run(ask(front_of(Program()), scope(headers=headers), []))
    found = dict(start["headers"])
    assert start["status"] == 413
    assert found[b"access-control-allow-origin"] == b"https://pages.example"
    assert b"Retry-After" in found[b"access-control-expose-headers"]


def test_early_refusal_stays_hidden_from_other_origins(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://pages.example"]
    headers = [(b"content-length", b"9999999"), (b"origin", b"https://other.example")]
    messages: Messages = run(ask(front_of(Program()), scope(headers=headers), []))
    assert b"access-control-allow-origin" not in dict(messages[0]["headers"])
