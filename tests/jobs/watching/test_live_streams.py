"""Streams of the real service: across restarts and processes, at its end (cases E1, E3, E6)."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from dreamforge_site.environment import BASE_DIR
from tests.jobs.watching.client import Stream, path_of, request, run
from tests.jobs.watching.waiting import wait_until
from tests.live import LiveSite, StartSite

pytestmark = pytest.mark.live
STOP_WITHIN_S = 10
MANY = 500
WATCHERS = 200  # a thousand are in `benchmarks.sse`


@dataclass
class Teller:
    """A job of a live site, and the process that tells about it."""

    job_id: str
    process: subprocess.Popen[str]

    def say(self, verb: str, *arguments: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join([verb, self.job_id, *map(str, arguments)]) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def telling(site: LiveSite) -> Iterator[Teller]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.jobs.watching.teller"],
        cwd=BASE_DIR,
        env=site.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            teller = Teller(create_job(site), process)
            teller.say("start")
            yield teller
        finally:
            process.kill()


def create_job(site: LiveSite) -> str:
    body = json.dumps({"type": "selftest"}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{site.base_url}/v1/jobs", body, headers), timeout=30) as answer:
        return str(json.load(answer)["job"]["id"])


def status_of(site: LiveSite, path: str, **headers: str) -> int:
    try:
        with urlopen(Request(site.base_url + path, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def open_streams(site: LiveSite) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    values = [
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith('dreamforge_streams_open{kind="stream"}')
    ]
    return sum(values)


async def follow(site: LiveSite, job_id: str, after: int = 0) -> Stream:
    return await (await request(site.port, path_of(job_id), after=after)).read_to_the_end()


async def in_thread(work: Callable[..., object], *arguments: object) -> None:
    await asyncio.to_thread(work, *arguments)


def test_stream_resumes_across_a_restart_and_in_another_process(live_sites: StartSite) -> None:
    site = live_sites(DF_WEB_PROCESSES="2")
    with telling(site) as teller:

        async def before_the_restart() -> Stream:
            stream = await request(site.port, path_of(teller.job_id))
            await in_thread(teller.say, "tell", 40)
            await stream.read_until(b"id: 20\n")
            await in_thread(site.kill)
            return await stream.read_to_the_end()

        first = run(before_the_restart())
        teller.say("tell", 40)
        site.start()

        async def after_it() -> list[Stream]:
            # Enough connections to reach both processes.
            reading = [
                asyncio.create_task(follow(site, teller.job_id, first.ids[-1])) for _ in range(12)
            ]
            await in_thread(teller.say, "tell", 10)
            await in_thread(teller.say, "finish")
            return await asyncio.gather(*reading)

        assert {tuple(first.ids + stream.ids) for stream in run(after_it())} == {
            tuple(range(1, 94))
        }


def test_answers_at_the_end_of_a_stream_and_to_numbers_that_are_none(
    live_sites: StartSite,
) -> None:
    site = live_sites()
    with telling(site) as teller:
        teller.say("tell", 7)
        teller.say("finish")
        path = path_of(teller.job_id)
        stream = run(follow(site, teller.job_id))
        end_id = str(stream.events[-1][0])
        assert stream.ids == list(range(1, 11))
        assert status_of(site, path, **{"Last-Event-ID": end_id}) == 204
        assert status_of(site, path, **{"Last-Event-ID": "made-up"}) == 422
        assert status_of(site, f"{path}?since_id=-1") == 422
        assert run(follow(site, teller.job_id, 4)).ids == [5, 6, 7, 8, 9, 10]


def test_server_with_five_hundred_streams_stops_in_time_and_all_resume(
    live_sites: StartSite,
) -> None:
    site = live_sites()
    with telling(site) as teller:

        async def story() -> tuple[list[Stream], int | None]:
            opened = [await request(site.port, path_of(teller.job_id)) for _ in range(MANY)]
            assert await asyncio.to_thread(open_streams, site) == MANY
            reading = [asyncio.create_task(stream.read_to_the_end()) for stream in opened]
            await in_thread(teller.say, "tell", 20)
            ended = await asyncio.to_thread(stop_within, site, STOP_WITHIN_S)
            return await asyncio.gather(*reading), ended

        streams, ended = run(story())
        assert ended == 0
        assert "Exception in ASGI application" not in site.log()
        teller.say("tell", 5)
        teller.say("finish")
        site.start()
        lasts = {stream.ids[-1] for stream in streams}
        assert {tuple(stream.ids) for stream in streams} == {
            tuple(range(1, last + 1)) for last in lasts
        }
        for last in lasts:
            assert run(follow(site, teller.job_id, last)).ids == list(range(last + 1, 29))


def test_two_hundred_clients_miss_nothing_while_jobs_are_posted_beside_them(
    live_sites: StartSite,
) -> None:
    site = live_sites()
    with telling(site) as teller:

        def tell() -> None:
            for _ in range(10):
                teller.say("tell", 5)
            teller.say("finish")

        def post() -> list[str]:
            return [create_job(site) for _ in range(40)]

        async def story() -> tuple[list[Stream], list[str]]:
            opened = [await request(site.port, path_of(teller.job_id)) for _ in range(WATCHERS)]
            reading = [asyncio.create_task(stream.read_to_the_end()) for stream in opened]
            _, posted = await asyncio.gather(asyncio.to_thread(tell), asyncio.to_thread(post))
            return await asyncio.gather(*reading), posted

        streams, posted = run(story())
        assert {tuple(stream.ids) for stream in streams} == {tuple(range(1, 54))}
        assert len(streams) == WATCHERS
        assert len(set(posted)) == 40


def stop_within(site: LiveSite, seconds: float) -> int | None:
    process = site.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    return process.wait(seconds)


def test_stream_events_and_open_streams_are_counted(live_sites: StartSite) -> None:
    site = live_sites()
    with telling(site) as teller:
        teller.say("finish")
        assert run(follow(site, teller.job_id)).ids == [1, 2, 3]
    wait_until(lambda: open_streams(site) == 0)
    wait_until(lambda: told(site) == 3)


def told(site: LiveSite) -> float:
    with urlopen(f"{site.base_url}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    name = 'dreamforge_stream_events_total{kind="stream"} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_waiting_request_holds_no_thread(live_sites: StartSite) -> None:
    """With one thread for Django, others are answered while one waits."""
    site = live_sites(DF_WEB_THREADS="1")
    with telling(site) as teller:

        async def story() -> Stream:
            waiting = asyncio.create_task(request(site.port, f"/v1/jobs/{teller.job_id}?wait=60"))
            await asyncio.sleep(0.2)
            assert await asyncio.to_thread(status_of, site, "/v1/jobs") == 200
            await in_thread(teller.say, "finish")
            stream = await waiting
            return await stream.read_until(b"succeeded")

        assert run(story()).status == 200
