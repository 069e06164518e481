"""Addresses that take more than others, and how much of that is held at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from dreamforge_site.front import bodies
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
from tests.live import LiveSite

pytestmark = pytest.mark.pure
LARGE = "/v1/large"
MIB = bodies.LIMIT_BYTES


@pytest.fixture(autouse=True)
def table(settings: Settings) -> None:
    settings.BODY_LIMITS = {LARGE: 3 * MIB}


def test_an_address_of_the_table_takes_more() -> None:
    program = Program(lambda environ: Whole([str(len(environ["wsgi.input"].read())).encode()]))
    messages = run(ask(front_of(program), scope(LARGE), [b"x" * MIB] * 3))
    assert messages[0]["status"] == 200
    assert messages[1]["body"] == str(3 * MIB).encode()


@pytest.mark.parametrize("path", ["/v1/things", f"{LARGE}/more", "/v1/larg"])
def test_no_other_address_does(path: str) -> None:
    messages = run(ask(front_of(Program()), scope(path), [b"x" * MIB, b"x"]))
    assert messages[0]["status"] == 413


def test_more_than_its_own_limit_is_refused_and_names_it() -> None:
    program = Program()
    headers = [(b"content-length", str(3 * MIB + 1).encode())]
    announced = run(ask(front_of(program), scope(LARGE, headers=headers), []))
    chunked = run(ask(front_of(program), scope(LARGE), [b"x" * MIB] * 4))
    assert [one[0]["status"] for one in (announced, chunked)] == [413, 413]
    assert str(3 * MIB) in envelope_of(chunked)["message"]
    assert program.seen == []


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGE_BUDGET_BYTES", 3 * MIB)


@pytest.fixture
def answering() -> Iterator[threading.Event]:
    """Set: the slow program answers."""
    event = threading.Event()
    yield event
    event.set()


def test_a_large_body_counts_until_it_was_answered(
    little_room: None, answering: threading.Event
) -> None:
    asked = threading.Event()

    def slow(_environ: Environ) -> Any:
        asked.set()
        answering.wait(20)
        return Whole([b"done"])

    async def both() -> list[Messages]:
        front = front_of(Program(slow))
        first = asyncio.create_task(ask(front, scope(LARGE), [b"x" * MIB, b"x" * MIB]))
        await asyncio.to_thread(asked.wait, 20)
        refused = await ask(front, scope(LARGE), [b"x" * MIB, b"x", b"x"])
        usual = asyncio.create_task(ask(front, scope(), [b"x" * MIB]))
        await asyncio.sleep(0)
        answering.set()
        served = [await first, await usual]
        later = await ask(front, scope(LARGE), [b"x" * MIB, b"x", b"x"])
        return [refused, *served, later]

    statuses = [messages[0]["status"] for messages in asyncio.run(both())]
    assert statuses == [503, 200, 200, 200]


@pytest.mark.live
def test_the_real_server_takes_a_large_file_where_one_is_expected(live_site: LiveSite) -> None:
    headers = {"Content-Type": "image/png"}
    statuses = [
        requests.post(f"{live_site.base_url}{path}", b"x" * size, headers=headers, timeout=60)
        for path, size in (
            ("/v1/artifacts:verify", 20 * MIB),
            ("/v1/artifacts%3Averify", 2 * MIB),
            ("/v1/artifacts:verify", 64 * MIB + 1),
            ("/v1/presets", 2 * MIB),
        )
    ]
    # Nobody signed in: 401 says that the body was read and Django was asked.
    assert [answer.status_code for answer in statuses] == [401, 401, 413, 413]
