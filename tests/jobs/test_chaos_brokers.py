"""The broker doubles, forgets, refuses or hangs: jobs run once all the same (R6-R8)."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from kombu import Connection

from dreamforge_site import broker
from dreamforge_site.celery import app
from jobs.bell import TASK
from jobs.models import Event
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import Service, submit, wait_until
from tests.live import LiveSite
from tests.services.redis import RedisServer

pytestmark = pytest.mark.live

ANSWER_WITHIN_S = 5


@pytest.fixture(params=["embedded", "redis", "rabbitmq"])
def any_broker(request: pytest.FixtureRequest, service: Service) -> str:
    url = broker.EMBEDDED
    if request.param != "embedded":
        url = str(request.getfixturevalue(f"{request.param}_server").url)
    service.variables["DF_BROKER_URL"] = url
    return url


@contextlib.contextmanager
def connected(service: Service, url: str) -> Iterator[Connection]:
    found = broker.parse(url, service.data_dir)
    with Connection(found.url, transport_options=found.options) as connection:
        yield connection


def ring_and_wait(service: Service, url: str, times: int) -> None:
    """Send the same message so often, and wait until each was taken."""
    with connected(service, url) as connection:
        for _ in range(times):
            app.send_task(TASK, connection=connection, queue="io", task_id="the-same")
        channel: Any = connection.default_channel
        wait_until(lambda: waiting(channel) == 0, "an empty queue", service.log)


def waiting(channel: Any) -> int:
    """Messages in the queue: of a broker that kombu plays itself, or of RabbitMQ."""
    if hasattr(channel, "_size"):
        return int(channel._size("io"))
    return int(channel.queue_declare("io", passive=True).message_count)


def starts() -> int:
    return Event.objects.filter(code="job.start").count()


def test_a_message_that_comes_five_times_runs_the_job_once(
    service: Service, any_broker: str
) -> None:
    service.worker()
    job_id = submit(items=15, item_ms=100)
    service.wait_until_started(job_id)
    ring_and_wait(service, any_broker, 5)
    service.wait_until_over()
    ring_and_wait(service, any_broker, 5)
    last = submit()
    service.wait_until_over([last])
    invariants.check([job_id, last])
    assert starts() == 2


def test_a_job_longer_than_the_brokers_patience_runs_once(
    service: Service, redis_server: RedisServer
) -> None:
    service.variables["DF_BROKER_URL"] = redis_server.url
    for _ in range(2):
        service.worker(DREAMFORGE_TEST_VISIBILITY_S="1")
    job_id = submit(items=60, item_ms=100)
    ring_and_wait(service, redis_server.url, 3)
    service.wait_until_over()
    invariants.check([job_id])
    assert starts() == 1


def test_what_redis_forgets_is_not_lost(service: Service, redis_server: RedisServer) -> None:
    service.variables["DF_BROKER_URL"] = redis_server.url
    service.worker(concurrency=2)
    jobs = [submit(items=2, item_ms=20) for _ in range(50)]
    with contextlib.closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    jobs += [submit(items=2, item_ms=20) for _ in range(25)]
    redis_server.kill()
    for kept in redis_server.folder.glob("appendonlydir"):
        shutil.rmtree(kept)
    jobs += [submit(items=2, item_ms=20) for _ in range(25)]
    redis_server.start()
    service.wait_until_over()
    invariants.check(jobs)
    assert service.jobs.filter(status=State.SUCCEEDED, attempts=1).count() == 100
    # The bell works again: a message is taken by the worker that lived through it.
    ring_and_wait(service, redis_server.url, 1)


@contextlib.contextmanager
def outage(server: RedisServer, kind: str) -> Iterator[None]:
    if kind == "hangs":
        server.pause()
        try:
            yield
        finally:
            server.resume()
    else:
        server.interrupt()
        try:
            yield
        finally:
            server.start()


def post(site: LiveSite, **params: int) -> tuple[int, uuid.UUID]:
    body = json.dumps({"type": "trial", **params}).encode()
    request = urllib.request.Request(f"{site.base_url}/v1/jobs", body)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
        return answer.status, uuid.UUID(json.load(answer)["job"]["id"])


@pytest.mark.parametrize("kind", ["refuses", "hangs"])
def test_without_redis_every_post_is_answered_and_every_job_runs(
    service: Service, redis_server: RedisServer, kind: str
) -> None:
    service.variables["DF_BROKER_URL"] = redis_server.url
    site = service.web()
    before = service.worker()
    with outage(redis_server, kind):
        answers = [post(site) for _ in range(50)]
        assert [status for status, _ in answers] == [202] * 50
        service.wait_until_over()
        before.signal(signal.SIGTERM)
        before.exit_status()
        later = service.worker()
        answers.append(post(site))
        service.wait_until_over()
        later.signal(signal.SIGTERM)
        assert later.exit_status() == 0
    invariants.check([job_id for _, job_id in answers])
    assert service.jobs.filter(status=State.SUCCEEDED, attempts=1).count() == 51
