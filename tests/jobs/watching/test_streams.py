"""Streams over real sockets: resumed anywhere, ended, kept alive, let go (cases E1 to E5)."""

from __future__ import annotations

import asyncio
import random
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connections

from dreamforge_site.front import connections as front_connections
from jobs import events, lifecycle
from jobs.events import Note
from jobs.models import Job
from jobs.watching import hub, streams
from tests.jobs.watching import stories
from tests.jobs.watching.client import Stream, path_of, request, run
from tests.jobs.watching.served import Served, open_answers
from tests.jobs.watching.waiting import come_true, wait_until

CUTS = 100
MANY = 200


async def whole(port: int, job_id: uuid.UUID, **options: Any) -> Stream:
    return await (await request(port, path_of(job_id), **options)).read_to_the_end()


def test_finished_job_is_replayed_and_ended_and_the_hint_comes_first(served: Served) -> None:
    stream = run(whole(served.port, stories.finished(300)))
    assert stream.ids == list(range(1, 301))
    assert stream.events[-1] == (301, "end", b'{"status":"succeeded"}')
    assert stream.raw.split(b"\r\n")[1].startswith(b"retry: ")
    assert b"content-length" not in stream.head


def test_stream_cut_anywhere_a_hundred_times_loses_and_doubles_nothing(served: Served) -> None:
    lease = stories.running()
    stories.tell(lease, 100)
    random.seed(5)

    async def story() -> list[int]:
        got: list[int] = []
        for cut in range(CUTS):
            stream = await request(served.port, path_of(lease.job_id), after=got[-1] if got else 0)
            await stream.read_bytes(random.randint(1, 600))
            stream.reset()
            got += stream.ids
            if cut % 10 == 5:
                await stories.apart(stories.tell, lease, 20)
        await stories.apart(lifecycle.succeed, lease)
        last = await whole(served.port, lease.job_id, after=got[-1] if got else 0)
        return got + last.ids

    assert run(story()) == list(range(1, 304))


def test_number_beyond_the_history_replays_everything(served: Served) -> None:
    stream = run(whole(served.port, stories.finished(20), after=5000))
    assert stream.ids == list(range(1, 21))


def test_deleted_job_ends_its_streams(served: Served) -> None:
    lease = stories.running()

    async def story() -> Stream:
        stream = await request(served.port, path_of(lease.job_id))
        await stream.read_until(b"event: log")
        await stories.apart(Job.objects.filter(id=lease.job_id).delete)
        return await stream.read_to_the_end()

    assert run(story()).events[-1] == (3, "end", b'{"status":"deleted"}')


def test_every_one_of_many_clients_gets_every_event_once_and_in_order(served: Served) -> None:
    lease = stories.running()

    async def story() -> list[Stream]:
        opened = await asyncio.gather(
            *(request(served.port, path_of(lease.job_id)) for _ in range(MANY))
        )
        reading = [asyncio.create_task(stream.read_to_the_end()) for stream in opened]
        for _ in range(30):
            await stories.apart(stories.tell, lease, 1)
        await stories.apart(lifecycle.succeed, lease)
        return list(await asyncio.gather(*reading))

    seen = {tuple(stream.ids) for stream in run(story())}
    assert seen == {tuple(range(1, 34))}
    wait_until(lambda: open_answers("stream") == 0)


def test_four_writers_to_one_job_lose_nothing_for_a_watcher(served: Served) -> None:
    lease = stories.running()

    def write(say: Callable[[], object]) -> None:
        for _ in range(25):
            say()
        connections.close_all()

    def from_outside() -> None:
        assert events.append(lease.job_id, [Note("outside")])

    says = [partial(stories.tell, lease, 1), from_outside, from_outside, from_outside]
    writers = [threading.Thread(target=write, args=(say,)) for say in says]

    async def story() -> Stream:
        stream = await request(served.port, path_of(lease.job_id))
        for thread in writers:
            thread.start()
        await come_true(lambda: not any(thread.is_alive() for thread in writers))
        await stories.apart(lifecycle.succeed, lease)
        return await stream.read_to_the_end()

    assert run(story()).ids == list(range(1, 104))


def test_quiet_stream_says_that_it_lives(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(hub, "HEARTBEATS_EVERY_S", 0.05)
    lease = stories.running()

    async def story() -> int:
        stream = await request(served.port, path_of(lease.job_id))
        while stream.raw.count(b": still here\n\n") < 3:
            await stream.read()
        return stream.raw.count(b"event: ")

    assert streams.HEARTBEAT_S < 15
    assert run(story()) == 2


def test_heartbeats_come_every_fifteen_seconds() -> None:
    assert streams.HEARTBEAT_S == 15


def test_clients_that_never_read_are_let_go_and_disturb_nobody(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_connections, "STALLED_S", 0.5)
    lease = stories.running()

    async def story() -> tuple[Stream, float]:
        stalled = [await request(served.port, path_of(lease.job_id)) for _ in range(20)]
        for stream in stalled:
            stream.writer.transport.pause_reading()  # type: ignore[attr-defined]
        good = await request(served.port, path_of(lease.job_id))
        reading = asyncio.create_task(good.read_to_the_end())
        # More than the kernel keeps for a connection on both its ends.
        for _ in range(60):
            await stories.apart(stories.tell, lease, 2, text="x" * 60_000)
            await asyncio.sleep(0.02)
        await come_true(lambda: open_answers("stream") == 1)
        left = open_answers("stream")
        await stories.apart(lifecycle.succeed, lease)
        await reading
        for stream in stalled:
            stream.reset()
        return good, left

    good, left = run(story())
    assert left == 1
    assert good.ids == list(range(1, 124))


def test_streams_of_clients_that_reset_are_closed(served: Served) -> None:
    lease = stories.running()

    async def story() -> float:
        opened = await asyncio.gather(
            *(request(served.port, path_of(lease.job_id)) for _ in range(MANY))
        )
        at_once = open_answers("stream")
        for stream in opened:
            stream.reset()
        await come_true(lambda: open_answers("stream") == 0)
        return at_once

    assert run(story()) == MANY
    assert hub.of_this_process().watchers == 0


def test_client_that_leaves_after_sending_its_next_request_is_noticed(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    lease = stories.running()

    async def story() -> None:
        stream = await request(served.port, path_of(lease.job_id))
        stream.writer.write(b"GET /v1/jobs/x HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await stream.read_until(b"event: log")
        stream.reset()
        # Its connection is not read from while a request is queued: only a write can tell.
        await stories.apart(stories.tell, lease, 1)
        await come_true(lambda: open_answers("stream") == 0)

    run(story())
    assert open_answers("stream") == 0
    assert "Exception in ASGI application" not in caplog.text


def test_server_that_stops_closes_its_streams_whole_and_without_an_end(served: Served) -> None:
    lease = stories.running()

    async def story() -> Stream:
        stream = await request(served.port, path_of(lease.job_id))
        await stream.read_until(b"job.start")
        stopping = asyncio.create_task(asyncio.to_thread(served.stop))
        await stream.read_to_the_end()
        await stopping
        return stream

    stream = run(story())
    assert not stream.ended
    assert stream.raw.endswith(b"0\r\n\r\n")


def test_head_of_a_stream_opens_none(served: Served) -> None:
    lease = stories.running()

    async def story() -> Stream:
        stream = await request(
            served.port, path_of(lease.job_id), method="HEAD", extra="connection: close\r\n"
        )
        return await stream.read_to_the_end()

    stream = run(story())
    assert (stream.status, stream.raw) == (200, b"")
    assert b"text/event-stream" in stream.head
    assert b"x-forge-handoff" not in stream.head.lower()
