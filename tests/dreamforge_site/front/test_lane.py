"""Requests that wait for one thread: served together, soon, and never left without an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from dreamforge_site.front import lane
from dreamforge_site.front.lane import Lane

pytestmark = pytest.mark.pure


class Service:
    """Answers each number with its double, and remembers the rounds; None where it is told to."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self.rested = 0
        self.rest_error: Exception | None = None
        self.lane: Lane[int, int] = Lane(self.serve, self.rest)

    def serve(self, asked: list[int]) -> list[int | None]:
        self.rounds.append(asked)
        self.entered.set()
        self.open.wait()
        if self.error is not None:
            raise self.error
        return [number * 2 for number in asked]

    def rest(self) -> None:
        self.rested += 1
        if self.rest_error is not None:
            raise self.rest_error

    async def busy(self) -> asyncio.Task[int | None]:
        """A round with the number 0 that lasts until `open` is set."""
        self.open.clear()
        task = asyncio.create_task(self.lane.ask(0))
        while not self.entered.is_set():
            await asyncio.sleep(0.001)
        return task


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.open.set()
    service.lane.close()


def test_one_alone_is_served_alone(service: Service) -> None:
    assert asyncio.run(service.lane.ask(7)) == 14
    assert service.rounds == [[7]]


def test_those_who_come_meanwhile_are_the_next_round(service: Service) -> None:
    async def story() -> list[int | None]:
        first = await service.busy()
        others = [asyncio.create_task(service.lane.ask(number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        service.open.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(story()) == [0, 2, 4, 6]
    assert service.rounds == [[0], [1, 2, 3]]


def test_a_round_has_an_upper_size(service: Service) -> None:
    async def story() -> list[int | None]:
        first = await service.busy()
        others = [asyncio.create_task(service.lane.ask(at)) for at in range(lane.MOST_AT_ONCE + 1)]
        await asyncio.sleep(0)
        service.open.set()
        return await asyncio.gather(first, *others)

    asyncio.run(story())
    assert [len(found) for found in service.rounds] == [1, lane.MOST_AT_ONCE, 1]


def test_a_fault_is_no_answer_for_its_round_and_the_next_is_served(service: Service) -> None:
    service.error = RuntimeError("nobody thought of this")
    assert asyncio.run(service.lane.ask(1)) is None
    service.error = None
    assert asyncio.run(service.lane.ask(2)) == 4


def test_a_fault_in_the_rest_ends_nothing(service: Service) -> None:
    service.rest_error = RuntimeError("the connection could not be given back")
    assert asyncio.run(service.lane.ask(1)) == 2
    assert asyncio.run(service.lane.ask(2)) == 4
    assert service.rested >= 1


def test_a_client_that_leaves_takes_nobody_along(service: Service) -> None:
    async def story() -> int | None:
        first = await service.busy()
        left, stayed = (asyncio.create_task(service.lane.ask(number)) for number in (1, 2))
        await asyncio.sleep(0)
        left.cancel()
        service.open.set()
        await first
        return await stayed

    assert asyncio.run(story()) == 4


def test_a_round_that_is_stuck_turns_everybody_else_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> tuple[bool, bool, int | None]:
        first = await service.busy()
        waiting = asyncio.create_task(service.lane.ask(1))
        await asyncio.sleep(0)
        before = service.lane.has_room()
        monkeypatch.setattr(lane, "STUCK_S", 0.0)
        during = service.lane.has_room()
        turned_away = await waiting
        service.open.set()
        assert await first == 0
        return before, during, turned_away

    assert asyncio.run(story()) == (True, False, None)
    assert service.rounds == [[0]]


def test_more_than_the_limit_do_not_wait(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[bool]:
        monkeypatch.setattr(lane, "WAITING_LIMIT", 1)
        first = await service.busy()
        found = [service.lane.has_room()]
        waiting = asyncio.create_task(service.lane.ask(1))
        await asyncio.sleep(0)
        found.append(service.lane.has_room())
        service.open.set()
        await asyncio.gather(first, waiting)
        return found

    assert asyncio.run(story()) == [True, False]


def test_closing_serves_who_waits(service: Service) -> None:
    async def story() -> int | None:
        first = await service.busy()
        waiting = asyncio.create_task(service.lane.ask(3))
        await asyncio.sleep(0)
        service.open.set()
        await asyncio.to_thread(service.lane.close)
        await first
        return await waiting

    assert asyncio.run(story()) == 6
