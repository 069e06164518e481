"""The servers of the tests themselves: others break them on purpose and count on the repair."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import redis
from botocore.client import Config
from botocore.exceptions import ClientError
from django.db import connection

from tests import environment
from tests.services.postgres import PostgresServer
from tests.services.redis import RedisServer
from tests.services.s3 import S3Server

ROOT = Path(__file__).resolve().parents[2]


def _count(url: str) -> int:
    with psycopg.connect(url, connect_timeout=2) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.pure
def test_postgres_keeps_its_data_through_kill_and_restart(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("survivor")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    postgres_server.restart()
    assert _count(url) == 1
    postgres_server.kill()
    postgres_server.start()
    assert _count(url) == 1


@pytest.mark.pure
def test_postgres_does_not_answer_while_paused(postgres_server: PostgresServer) -> None:
    postgres_server.pause()
    try:
        assert not postgres_server.answers()
    finally:
        postgres_server.resume()
    assert postgres_server.answers()


@pytest.mark.pure
def test_redis_keeps_its_data_through_a_restart(redis_server: RedisServer) -> None:
    client = redis.Redis.from_url(redis_server.url)
    client.set("kept", "1")
    redis_server.restart()
    assert client.get("kept") == b"1"
    client.close()


@pytest.mark.pure
def test_redis_does_not_answer_while_paused(redis_server: RedisServer) -> None:
    redis_server.pause()
    try:
        assert not redis_server.answers()
    finally:
        redis_server.resume()
    assert redis_server.answers()


@contextlib.contextmanager
def _bucket(server: S3Server, secret_key: str, name: str = "pictures") -> Iterator[Any]:
    settings = server.settings(name)
    session = boto3.Session(settings["DF_S3_ACCESS_KEY"], secret_key, region_name="us-east-1")
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    resource = session.resource("s3", endpoint_url=server.endpoint, config=config)
    with contextlib.closing(resource.meta.client):
        yield resource.Bucket(name)


@pytest.mark.pure
def test_s3_keeps_an_object(s3_server: S3Server) -> None:
    with _bucket(s3_server, s3_server.secret_key) as bucket:
        bucket.put_object(Key="a/b.png", Body=b"pixels")
        s3_server.restart()
        assert bucket.Object("a/b.png").get()["Body"].read() == b"pixels"


@pytest.mark.pure
def test_s3_has_a_bucket_as_soon_as_it_is_asked_for(s3_server: S3Server) -> None:
    with _bucket(s3_server, s3_server.secret_key, "earlier") as bucket:
        bucket.put_object(Key="one", Body=b"")
    with _bucket(s3_server, s3_server.secret_key, "later") as bucket:
        bucket.put_object(Key="two", Body=b"kept")
        assert bucket.Object("two").get()["Body"].read() == b"kept"


@pytest.mark.pure
def test_s3_refuses_a_wrong_signature(s3_server: S3Server) -> None:
    with (
        _bucket(s3_server, "wrong") as bucket,
        pytest.raises(ClientError, match="SignatureDoesNotMatch"),
    ):
        bucket.put_object(Key="a", Body=b"")


def _gone(pid: int) -> bool:
    """Wait for the end of a process that is no child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    readable, _, _ = select.select([descriptor], [], [], 30)
    os.close(descriptor)
    return bool(readable)


@pytest.mark.pure
def test_killed_run_leaves_no_server_behind(tmp_path: Path) -> None:
    script = (
        "import os; from tests.services.redis import RedisServer; server = RedisServer()\n"
        "server.start(); print(server.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert _gone(int(run.stdout))


@pytest.mark.django_db
def test_suite_runs_on_the_database_it_was_asked_for() -> None:
    vendor = {"sqlite": "sqlite", "postgres": "postgresql"}[environment.database()]
    assert connection.vendor == vendor
