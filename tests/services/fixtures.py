"""The servers as fixtures: started on first use, shared by the session, stopped at its end.

A test that kills, pauses or stops one leaves it running again: `try … finally: server.start()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.services import rabbitmq
from tests.services.postgres import PostgresServer
from tests.services.process import ServerProcess
from tests.services.rabbitmq import RabbitServer
from tests.services.redis import RedisServer
from tests.services.s3 import S3Server

Server = TypeVar("Server", bound=ServerProcess)


def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    yield from _running(PostgresServer())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    yield from _running(RedisServer())


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitServer]:
    if not rabbitmq.is_installed():
        pytest.skip("RabbitMQ is not installed")
    yield from _running(RabbitServer())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    yield from _running(S3Server())
