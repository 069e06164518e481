"""`?wait=`: held back until the job is done, the time is up, or nobody waits any more."""

from __future__ import annotations

import asyncio

import pytest

from jobs import lifecycle
from jobs.models import Job
from jobs.watching import hub
from tests.jobs.watching import stories
from tests.jobs.watching.client import Stream, request, run
from tests.jobs.watching.served import BLIND, MADE, REFUSED, SHOWN, Served, open_answers
from tests.jobs.watching.waiting import come_true

WRAPPED = b'{"job":' + SHOWN + b"}"


async def answered(stream: Stream) -> Stream:
    return await stream.read_until(b"}")


async def waiting(port: int, job_id: object, seconds: float) -> asyncio.Task[Stream]:
    """A request that waits, known to be waiting."""

    async def ask() -> Stream:
        stream = await request(port, f"/v1/jobs/{job_id}?wait={seconds}")
        return await answered(stream)

    before = open_answers("wait")
    task = asyncio.create_task(ask())
    await come_true(lambda: open_answers("wait") == before + 1)
    return task


def test_job_that_is_done_is_shown_at_once(served: Served) -> None:
    job_id = stories.finished(5)

    async def story() -> Stream:
        return await answered(await request(served.port, f"/v1/jobs/{job_id}?wait=600"))

    stream = run(story())
    assert (stream.status, stream.raw) == (200, WRAPPED)


def test_answer_comes_when_the_job_is_done(served: Served) -> None:
    lease = stories.running()

    async def story() -> Stream:
        task = await waiting(served.port, lease.job_id, 600)
        await stories.apart(lifecycle.succeed, lease)
        return await task

    stream = run(story())
    assert (stream.status, stream.raw) == (200, WRAPPED)
    assert b"location: /somewhere" in stream.head


def test_answer_comes_when_the_time_is_up(served: Served) -> None:
    lease = stories.running()

    async def story() -> Stream:
        return await answered(await request(served.port, f"/v1/jobs/{lease.job_id}?wait=0.2"))

    stream = run(story())
    assert (stream.status, stream.raw) == (202, WRAPPED)


def test_answer_comes_when_the_job_is_deleted(served: Served) -> None:
    lease = stories.running()

    async def story() -> Stream:
        task = await waiting(served.port, lease.job_id, 600)
        await stories.apart(Job.objects.filter(id=lease.job_id).delete)
        return await task

    assert run(story()).raw == WRAPPED


def test_who_may_make_a_job_and_not_see_it_is_told_that_it_was_made(served: Served) -> None:
    path = f"/v1/jobs/{stories.finished(5)}?wait=600"

    async def story() -> Stream:
        return await answered(await request(served.port, path, extra=f"x-api-key: {BLIND}\r\n"))

    stream = run(story())
    assert (stream.status, stream.raw) == (202, MADE)
    assert b"location: /somewhere" in stream.head


def test_who_may_not_see_the_job_any_more_is_told_so(served: Served) -> None:
    path = f"/v1/jobs/{stories.finished(5)}?wait=600&bare=1"

    async def story() -> Stream:
        return await answered(await request(served.port, path, extra=f"x-api-key: {BLIND}\r\n"))

    stream = run(story())
    assert (stream.status, stream.raw) == (403, REFUSED)


def test_answer_comes_when_the_server_stops(served: Served) -> None:
    lease = stories.running()

    async def story() -> Stream:
        task = await waiting(served.port, lease.job_id, 600)
        await asyncio.to_thread(served.stop)
        return await task

    stream = run(story())
    assert (stream.status, stream.raw) == (202, WRAPPED)


def test_client_that_leaves_is_waited_for_no_longer(served: Served) -> None:
    lease = stories.running()

    async def story() -> float:
        task = await waiting(served.port, lease.job_id, 600)
        task.cancel()
        await come_true(lambda: open_answers("wait") == 0)
        return open_answers("wait")

    assert run(story()) == 0
    assert hub.of_this_process().watchers == 0


def test_more_waits_than_requests_may_queue_are_all_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were admitted when they came; that their job ends at one moment is no overload."""
    monkeypatch.setattr("dreamforge_site.front.bridge.WAITING_LIMIT", 5)
    lease = stories.running()

    async def story() -> list[Stream]:
        tasks = [await waiting(served.port, lease.job_id, 600) for _ in range(40)]
        await stories.apart(lifecycle.succeed, lease)
        return list(await asyncio.gather(*tasks))

    assert [stream.status for stream in run(story())] == [200] * 40
