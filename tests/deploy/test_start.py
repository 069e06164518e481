"""Every service of docker-compose.yml is started by its exact command and asked by its own check.

MinIO is the one exception: no binary of it can be had without building it, so its lines are checked
by the specification alone and rclone's S3 server stands in for it.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from celery import Celery

from dreamforge_site import queues
from tests.deploy import compose
from tests.deploy.outside import (
    ComposePostgres,
    ComposeRedis,
    Places,
    Service,
    free_places,
)
from tests.services.process import ServerProcess
from tests.services.s3 import S3Server

pytestmark = [pytest.mark.pure, pytest.mark.live]

MIGRATED = "select count(*) from django_migrations"


class Stack:
    """The stores, running, and where the services find them."""

    def __init__(self, models: Path) -> None:
        self.postgres = ComposePostgres()
        self.redis = ComposeRedis()
        self.s3 = S3Server()
        models.mkdir()
        # Free space is this machine's affair, the keys are the stand-in's.
        self.variables = compose.VARIABLES | {"DF_MIN_FREE_BYTES": "0"}
        self._keys = {
            compose.VARIABLES["DF_S3_ACCESS_KEY"]: self.s3.access_key,
            compose.VARIABLES["DF_S3_SECRET_KEY"]: self.s3.secret_key,
        }
        self._models = {"/models": str(models)}

    @property
    def stores(self) -> tuple[ServerProcess, ...]:
        return (self.postgres, self.redis, self.s3)

    @property
    def places(self) -> Places:
        addresses = free_places(self.postgres, self.redis, self.s3.endpoint)
        return {**addresses, **self._models, **self._keys}

    def service(self, name: str) -> Service:
        return Service(name, self.places, self.variables)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("compose") / "models")
    try:
        for store in stack.stores:
            store.start()
        yield stack
    finally:
        for store in stack.stores:
            store.stop()


@pytest.fixture(scope="module")
def stack(stores: Stack) -> Stack:
    """Migrated and with a bucket: what `depends_on` waits for."""
    for name in ("migrate", "create-bucket"):
        done = stores.service(name).to_the_end()
        assert done.returncode == 0, done.stderr[-2000:]
    return stores


def test_postgres_is_healthy_and_has_the_options(stores: Stack) -> None:
    assert stores.postgres.healthcheck().returncode == 0
    with psycopg.connect(stores.postgres.url()) as connection:
        row = connection.execute("show max_connections").fetchone()
    assert row == ("200",)


def test_redis_asks_for_the_password(stores: Stack) -> None:
    assert stores.redis.answers()
    stores.redis.definition["environment"] = {"REDISCLI_AUTH": "another password"}
    try:
        assert not stores.redis.answers()
    finally:
        stores.redis.definition["environment"] = {
            "REDISCLI_AUTH": compose.VARIABLES["REDIS_PASSWORD"]
        }
    assert stores.redis.answers()


def test_migrate_fills_the_database_and_can_run_again(stack: Stack) -> None:
    with psycopg.connect(stack.postgres.url()) as connection:
        before = connection.execute(MIGRATED).fetchone()
    again = stack.service("migrate").to_the_end()
    with psycopg.connect(stack.postgres.url()) as connection:
        after = connection.execute(MIGRATED).fetchone()
    assert again.returncode == 0, again.stderr
    assert before == after
    assert before is not None
    assert before[0] > 0


def test_create_bucket_can_run_again(stack: Stack) -> None:
    again = stack.service("create-bucket").to_the_end()
    assert (again.returncode, again.stdout) == (0, "Bucket dreamforge is there.\n")


def test_create_bucket_says_in_one_line_why_it_could_not(stack: Stack) -> None:
    service = stack.service("create-bucket")
    service.variables["DF_S3_ENDPOINT"] = f"http://127.0.0.1:{service.port}"
    failed = service.to_the_end()
    assert failed.returncode == 1
    assert failed.stderr.startswith("The bucket could not be made: ")
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("queue", queues.NAMES)
def test_the_worker_is_healthy_works_its_queue_and_stops(stack: Stack, queue: str) -> None:
    service = stack.service(f"worker-{queue}")
    try:
        service.start()
        ping(stack, queue)
        service.wait_for(f"hello {queue}")
        assert service.terminated() == 0, service.log()
    finally:
        service.stop()


def ping(stack: Stack, queue: str) -> None:
    broker = f"redis://:{compose.VARIABLES['REDIS_PASSWORD']}@127.0.0.1:{stack.redis.port}/0"
    with Celery(broker=broker, set_as_current=False, task_queues=list(queues.DECLARED)) as app:
        app.send_task("dreamforge.ping", args=[f"hello {queue}"], queue=queue)


def test_the_scheduler_is_healthy_and_stops(stack: Stack) -> None:
    service = stack.service("scheduler")
    try:
        service.start()
        service.wait_for("scheduler_started")
        assert service.terminated() == 0, service.log()
    finally:
        service.stop()


def test_the_api_is_ready_and_stops(stack: Stack) -> None:
    service = stack.service("api")
    try:
        service.start()
        assert service.terminated() == 0, service.log()
    finally:
        service.stop()


def test_the_api_refuses_anonymous_callers_and_unknown_hosts(stack: Stack) -> None:
    service = stack.service("api")
    try:
        service.start()
        assert answer(service, "/v1/auth/me", host="forge.example.org") == 401
        assert answer(service, "/v1/auth/me", host="evil.example.net") == 400
    finally:
        service.stop()


def answer(service: Service, path: str, *, host: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}{path}", headers={"Host": host}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as response:
        return int(response.code)
