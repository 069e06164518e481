"""The front spoken to as a server speaks to it, with small WSGI programs behind it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from dreamforge_site.front import bodies, bridge
from dreamforge_site.front.bridge import Bridge
from dreamforge_site.front.router import Front

pytestmark = pytest.mark.pure

Environ = dict[str, Any]
Messages = list[dict[str, Any]]


class Program:
    """A WSGI program that remembers what it was asked."""

    def __init__(
        self, answer: Callable[[Environ], Any] = lambda _environ: Whole([b"hello"])
    ) -> None:
        self.seen: list[Environ] = []
        self.answer = answer

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Any:
        self.seen.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Made-By", "program")])
        return self.answer(environ)


class Whole(list[bytes]):
    """An answer that is not streamed, as Django's plain responses are."""

    streaming = False
    closed_in: str = ""

    def close(self) -> None:
        self.closed_in = threading.current_thread().name


def scope(path: str = "/v1/things", method: str = "POST", **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 40000),
    }
    return {**facts, **changes}


async def ask(front: Front, request: dict[str, Any], parts: list[bytes] | None = None) -> Messages:
    """Send one request whose body comes in `parts`; everything the front sent back."""
    remaining = list(parts or [b""])
    sent: Messages = []

    async def receive() -> dict[str, Any]:
        part = remaining.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(remaining)}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await front(request, receive, send)
    return sent


def run(work: Coroutine[Any, Any, Messages]) -> Messages:
    return asyncio.run(work)


def front_of(program: Program, *, threads: int = 2, loopback_only: bool = False) -> Front:
    return Front(Bridge(program, threads=threads), loopback_only=loopback_only)


def envelope_of(messages: Messages) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(messages[1]["body"])
    return found


def test_whole_answer_passes_with_status_headers_and_body() -> None:
    start, body = run(ask(front_of(Program()), scope()))
    assert start["status"] == 200
    assert (b"x-made-by", b"program") in start["headers"]
    assert body["body"] == b"hello"


def test_body_in_parts_reaches_the_program_whole_with_its_length() -> None:
    program = Program()
    run(ask(front_of(program), scope(), [b"ab", b"cd", b"e"]))
    environ = program.seen[0]
    assert environ["wsgi.input"].read() == b"abcde"
    assert environ["CONTENT_LENGTH"] == "5"


def test_whole_answer_is_closed_in_the_thread_that_made_it() -> None:
    made_in: list[str] = []
    answer = Whole([b"x"])

    def make(_environ: Environ) -> Whole:
        made_in.append(threading.current_thread().name)
        return answer

    run(ask(front_of(Program(make)), scope()))
    assert [answer.closed_in] == made_in


def test_announced_oversized_body_is_refused_before_it_is_read() -> None:
    program = Program()
    headers = [(b"content-length", b"1048577")]
    messages = run(ask(front_of(program), scope(headers=headers), []))
    assert messages[0]["status"] == 413
    assert envelope_of(messages)["code"] == "payload_too_large"
    assert program.seen == []


def test_endless_chunked_body_is_cut_at_the_limit() -> None:
    program = Program()
    parts = [b"x" * 262_144] * 8
    messages = run(ask(front_of(program), scope(), parts))
    assert messages[0]["status"] == 413
    assert (b"connection", b"close") in messages[0]["headers"]
    assert program.seen == []


def test_bodies_that_arrive_together_share_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BUDGET_BYTES", 3)
    front = front_of(Program())
    refused = run(ask(front, scope(), [b"ab", b"cd", b"ef"]))
    assert refused[0]["status"] == 503
    # What was refused is held no more.
    assert run(ask(front, scope(), [b"ab", b"c"]))[0]["status"] == 200


def test_body_that_stops_arriving_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "ARRIVAL_TIMEOUT_S", 0.01)
    sent: Messages = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(front_of(Program())(scope(), receive, send))
    assert sent[0]["status"] == 400
    assert envelope_of(sent)["code"] == "malformed_request"


def test_client_that_leaves_while_sending_is_not_answered() -> None:
    program = Program()
    sent: Messages = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(front_of(program)(scope(), receive, send))
    assert sent == []
    assert program.seen == []


def test_header_with_underscores_cannot_pass_for_one_with_dashes() -> None:
    program = Program()
    headers = [(b"x_forwarded_for", b"10.0.0.1"), (b"x-real", b"yes")]
    run(ask(front_of(program), scope(headers=headers)))
    assert "HTTP_X_FORWARDED_FOR" not in program.seen[0]
    assert program.seen[0]["HTTP_X_REAL"] == "yes"


def test_cookies_sent_in_two_headers_are_joined_as_cookies() -> None:
    program = Program()
    headers = [(b"cookie", b"a=1"), (b"cookie", b"b=2")]
    run(ask(front_of(program), scope(headers=headers)))
    assert program.seen[0]["HTTP_COOKIE"] == "a=1; b=2"


def test_bytes_that_are_no_ascii_reach_the_program_untouched() -> None:
    program = Program()
    request = scope(raw_path=b"/v1/%ff", query_string=b"q=\xff")
    messages = run(ask(front_of(program), request))
    assert messages[0]["status"] == 200
    assert program.seen[0]["PATH_INFO"] == "/v1/\xff"
    assert program.seen[0]["QUERY_STRING"] == "q=\xff"


def test_slow_reader_of_a_stream_holds_no_thread() -> None:
    """With one thread, a second request is answered while the first's stream is stuck."""

    def answer(environ: Environ) -> Any:
        return Whole([b"quick"]) if environ["PATH_INFO"] == "/quick" else stream()

    def stream() -> Iterator[bytes]:
        yield b"first"
        yield b"second"

    async def story() -> Messages:
        front = front_of(Program(answer), threads=1)
        stuck = asyncio.Event()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message.get("body") == b"first":
                stuck.set()
                await asyncio.Event().wait()

        slow = asyncio.create_task(front(scope("/slow"), receive, send))
        await stuck.wait()
        messages = await ask(front, scope("/quick"))
        slow.cancel()
        return messages

    assert run(story())[1]["body"] == b"quick"


def test_stream_is_closed_when_its_client_goes_away() -> None:
    closed = threading.Event()

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"more"

        def close(self) -> None:
            closed.set()

    async def story() -> None:
        front = front_of(Program(lambda _environ: Stream()))
        begun = asyncio.Event()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if "body" in message:
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(front(scope(), receive, send))
        await begun.wait()
        task.cancel()

    asyncio.run(story())
    assert closed.wait(5)


def test_more_waiting_requests_than_the_limit_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bridge, "WAITING_LIMIT", 0)
    messages = run(ask(front_of(Program()), scope()))
    assert messages[0]["status"] == 503
    assert b"retry-after" in dict(messages[0]["headers"])
    assert envelope_of(messages)["code"] == "infra_unavailable"


def test_open_authentication_never_answers_beyond_loopback() -> None:
    program = Program()
    front = front_of(program, loopback_only=True)
    messages = run(ask(front, scope(server=("192.0.2.7", 8000))))
    assert messages[0]["status"] == 403
    assert program.seen == []


def test_healthz_touches_neither_django_nor_a_thread() -> None:
    program = Program()
    start, body = run(ask(front_of(program), scope("/healthz", "GET")))
    assert (start["status"], json.loads(body["body"])) == (200, {"status": "ok"})
    assert program.seen == []


def test_head_of_healthz_has_the_length_but_no_body() -> None:
    start, body = run(ask(front_of(Program()), scope("/healthz", "HEAD")))
    assert dict(start["headers"])[b"content-length"] == b"16"
    assert body["body"] == b""


@pytest.mark.parametrize(
    ("sent", "echoed"), [(b"build-7.test_1", True), (b"has space", False), (b"x" * 129, False)]
)
def test_request_id_is_echoed_when_valid_and_made_otherwise(sent: bytes, echoed: bool) -> None:
    headers = [(b"x-request-id", sent)]
    start, _ = run(ask(front_of(Program()), scope("/healthz", "GET", headers=headers)))
    answered = dict(start["headers"])[b"x-request-id"]
    assert (answered == sent) is echoed
    assert answered


def test_refusal_names_one_request_id_in_header_and_envelope() -> None:
    headers = [(b"content-length", b"9999999"), (b"x-request-id", b"abc-1")]
    messages = run(ask(front_of(Program()), scope(headers=headers), []))
    assert dict(messages[0]["headers"])[b"x-request-id"] == b"abc-1"
    assert envelope_of(messages)["correlation_id"] == "abc-1"


def test_websocket_is_closed_politely() -> None:
    sent: Messages = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(front_of(Program())({"type": "websocket", "path": "/"}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
