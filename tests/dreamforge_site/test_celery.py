"""The way of a task: through each broker, to a real worker process, and back out of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from kombu import Connection
from kombu.exceptions import OperationalError

from dreamforge_site import broker, queues
from dreamforge_site.celery import app
from dreamforge_site.environment import BASE_DIR
from dreamforge_site.tasks import ping
from tests.dreamforge_site.slow_worker import slow
from tests.dreamforge_site.supervisor.conftest import service_environment
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.services.redis import RedisServer

pytestmark = [pytest.mark.pure, pytest.mark.live]

WorkerStarter = Callable[..., Supervised]


@pytest.fixture
def start_worker() -> Iterator[WorkerStarter]:
    started: list[Supervised] = []

    def start(data_dir: Path, url: str, queue: str, *, slow: bool = False) -> Supervised:
        program = ["-m", "tests.dreamforge_site.slow_worker"] if slow else ["manage.py"]
        command = [sys.executable, *program, "worker", "--queue", queue]
        environment = service_environment(data_dir, DF_BROKER_URL=url)
        started.append(Supervised(command, environment, BASE_DIR))
        return started[-1]

    yield start
    for worker in started:
        worker.destroy()


@pytest.fixture(params=["embedded", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "redis":
        return str(request.getfixturevalue("redis_server").url)
    return broker.EMBEDDED


def connect(url: str, data_dir: Path) -> Connection:
    found = broker.parse(url, data_dir)
    return Connection(
        found.url, transport_options=found.options, connect_timeout=broker.CONNECT_TIMEOUT_S
    )


def send(task: Any, *args: Any, url: str, data_dir: Path, queue: str = queues.IO) -> None:
    with connect(url, data_dir) as connection:
        task.apply_async(args, connection=connection, queue=queue, ignore_result=True)


def test_a_task_reaches_the_worker_of_its_queue_with_the_request_id(
    url: str, tmp_path: Path, start_worker: WorkerStarter
) -> None:
    worker = start_worker(tmp_path, url, queues.IO)
    with structlog.contextvars.bound_contextvars(request_id="request-of-the-test"):
        send(ping, "hello", url=url, data_dir=tmp_path)
    line = worker.wait_for('"event": "ping"', '"message": "hello"')
    assert '"request_id": "request-of-the-test"' in line
    worker.signal(signal.SIGTERM)
    assert worker.exit_status() == 0


def test_a_task_does_not_see_the_request_id_of_the_one_before(
    tmp_path: Path, start_worker: WorkerStarter
) -> None:
    worker = start_worker(tmp_path, broker.EMBEDDED, queues.GPU)
    with structlog.contextvars.bound_contextvars(request_id="request-of-the-test"):
        send(ping, "first", url=broker.EMBEDDED, data_dir=tmp_path, queue=queues.GPU)
    worker.wait_for('"event": "ping"', '"message": "first"', "request-of-the-test")
    send(ping, "second", url=broker.EMBEDDED, data_dir=tmp_path, queue=queues.GPU)
    assert "request" not in worker.wait_for('"event": "ping"', '"message": "second"')


def test_a_worker_leaves_the_other_queue_alone(
    url: str, tmp_path: Path, start_worker: WorkerStarter
) -> None:
    send(ping, "for the GPU", url=url, data_dir=tmp_path, queue=queues.GPU)
    send(ping, "for the other", url=url, data_dir=tmp_path)
    worker = start_worker(tmp_path, url, queues.IO)
    worker.wait_for('"event": "ping"', "for the other")
    worker.signal(signal.SIGTERM)
    assert worker.exit_status() == 0
    assert "for the GPU" not in worker.text
    with connect(url, tmp_path) as connection:
        assert app.amqp.queues[queues.GPU](connection.default_channel).purge() == 1


def test_a_message_waits_for_a_worker_that_was_killed(
    url: str, tmp_path: Path, start_worker: WorkerStarter
) -> None:
    first = start_worker(tmp_path, url, queues.IO)
    first.wait_for("ready")
    first.signal(signal.SIGKILL)
    first.exit_status()
    send(ping, "patience", url=url, data_dir=tmp_path)
    start_worker(tmp_path, url, queues.IO).wait_for('"event": "ping"', "patience")


def test_term_lets_the_running_task_finish(tmp_path: Path, start_worker: WorkerStarter) -> None:
    worker = start_worker(tmp_path, broker.EMBEDDED, queues.IO, slow=True)
    send(slow, 1.0, url=broker.EMBEDDED, data_dir=tmp_path)
    worker.wait_for("slow_begins")
    worker.signal(signal.SIGTERM)
    assert worker.exit_status() == 0
    assert "slow_ends" in worker.text


def test_a_second_term_ends_the_worker_at_once(tmp_path: Path, start_worker: WorkerStarter) -> None:
    worker = start_worker(tmp_path, broker.EMBEDDED, queues.IO, slow=True)
    send(slow, 600.0, url=broker.EMBEDDED, data_dir=tmp_path)
    worker.wait_for("slow_begins")
    worker.signal(signal.SIGTERM)
    worker.wait_for("worker_stopping")
    worker.signal(signal.SIGTERM)
    assert worker.exit_status() == 1
    assert "slow_ends" not in worker.text


def test_a_worker_waits_for_a_broker_that_is_down(
    redis_server: RedisServer, tmp_path: Path, start_worker: WorkerStarter
) -> None:
    redis_server.interrupt()
    try:
        worker = start_worker(tmp_path, redis_server.url, queues.IO)
        worker.wait_for("Cannot connect")
        worker.wait_for("Trying again")
    finally:
        redis_server.start()
    send(ping, "at last", url=redis_server.url, data_dir=tmp_path)
    worker.wait_for('"event": "ping"', "at last")


def test_a_worker_survives_the_restart_of_its_broker(
    redis_server: RedisServer, tmp_path: Path, start_worker: WorkerStarter
) -> None:
    worker = start_worker(tmp_path, redis_server.url, queues.IO)
    worker.wait_for("ready")
    redis_server.restart()
    send(ping, "still there", url=redis_server.url, data_dir=tmp_path)
    worker.wait_for('"event": "ping"', "still there")


def test_publishing_to_a_broker_that_is_down_fails(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.interrupt()
    try:
        with pytest.raises(OperationalError):
            send(ping, url=redis_server.url, data_dir=tmp_path)
    finally:
        redis_server.start()


def test_publishing_to_a_broker_that_hangs_fails_instead_of_hanging(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.pause()
    try:
        with pytest.raises(OperationalError):
            send(ping, url=redis_server.url, data_dir=tmp_path)
    finally:
        redis_server.resume()


def test_a_queue_nobody_declared_is_refused() -> None:
    with pytest.raises(Exception, match="nowhere"):
        ping.apply_async(queue="nowhere")


def test_a_task_named_after_a_queue_goes_there() -> None:
    router = app.amqp.router
    assert router.route({}, "gpu.draw")["queue"].name == queues.GPU
    assert router.route({}, "io.fetch")["queue"].name == queues.IO
    assert router.route({}, "dreamforge.ping")["queue"].name == queues.IO


def test_a_process_that_only_set_django_up_publishes_through_our_app() -> None:
    program = (
        "import django; django.setup(); from dreamforge_site.tasks import ping;"
        "print(ping.app.main, ping.app.connection_for_write().transport.driver_type)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "dreamforge_site.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["dreamforge", "embedded"]


def test_no_two_queues_share_a_binding() -> None:
    bindings = [(queue.exchange.name, queue.routing_key) for queue in queues.DECLARED]
    assert bindings == [("gpu", "gpu"), ("io", "io")]


def test_nothing_but_json_is_accepted() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.result_serializer == "json"
