"""From a database URL to settings that were measured to hold, and the refusal of others."""

from __future__ import annotations

import copy
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.postgresql.base import DatabaseWrapper
from pytest_django import DjangoDbBlocker

from dreamforge_site import databases
from tests.services.postgres import PostgresServer

pytestmark = pytest.mark.pure

UNUSED: dict[str, Any] = {
    "AUTOCOMMIT": True,
    "TIME_ZONE": None,
    "ATOMIC_REQUESTS": False,
    "TEST": {},
}
TIMEOUTS = (
    socket.TCP_KEEPIDLE,
    socket.TCP_KEEPINTVL,
    socket.TCP_KEEPCNT,
    socket.TCP_USER_TIMEOUT,
)
POSTGRES = "postgresql://me:p%40ss%2Fword@db.example.org:5433/forge?sslmode=require"


def test_an_absolute_sqlite_url_keeps_its_path() -> None:
    assert databases.parse("sqlite:////var/lib/a%20b.sqlite3", 8)["NAME"] == Path(
        "/var/lib/a b.sqlite3"
    )


def test_a_relative_sqlite_url_is_relative_to_the_working_folder() -> None:
    assert databases.parse("sqlite:///forge.sqlite3", 8)["NAME"] == Path.cwd() / "forge.sqlite3"


def test_a_postgresql_url_gives_its_parts_decoded() -> None:
    found = databases.parse(POSTGRES, 5)
    names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
    expected = ("forge", "me", "p@ss/word", "db.example.org", "5433")
    assert tuple(found[name] for name in names) == expected
    assert found["OPTIONS"]["sslmode"] == "require"
    assert found["OPTIONS"]["pool"]["max_size"] == 5


@pytest.mark.parametrize(
    "url",
    [
        "",
        "forge.sqlite3",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://host/name",
        "postgresql://host",
        "postgresql://host:port/name",
        "postgresql://host/name?prepare_threshold=never",
        "sqlite:///forge.sqlite3?mode=ro",
        "sqlite:///forge.sqlite3#main",
        "sqlite://var/forge.sqlite3",
    ],
)
def test_an_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        databases.parse(url, 8)


@pytest.mark.parametrize(("query", "threshold"), [("", 1), ("none", None), ("7", 7)])
def test_statements_are_prepared_unless_the_address_says_otherwise(
    query: str, threshold: int | None
) -> None:
    url = f"{POSTGRES}&prepare_threshold={query}" if query else POSTGRES
    assert databases.parse(url, 5)["OPTIONS"]["prepare_threshold"] == threshold


@pytest.mark.parametrize("url", ["sqlite:////tmp/x.sqlite3", POSTGRES])
def test_what_is_parsed_passes_its_own_check(url: str) -> None:
    assert databases.faults(databases.parse(url, 8)) == []


@pytest.mark.parametrize(
    ("url", "path", "value", "word"),
    [
        ("sqlite:////x", ("OPTIONS", "transaction_mode"), "DEFERRED", "IMMEDIATE"),
        ("sqlite:////x", ("OPTIONS", "timeout"), 5, "timeout"),
        ("sqlite:////x", ("OPTIONS", "init_command"), "", "WAL"),
        ("sqlite:////x", ("ATOMIC_REQUESTS",), True, "ATOMIC_REQUESTS"),
        (POSTGRES, ("OPTIONS", "pool"), None, "pool"),
        (POSTGRES, ("CONN_HEALTH_CHECKS",), False, "CONN_HEALTH_CHECKS"),
        (POSTGRES, ("ATOMIC_REQUESTS",), True, "ATOMIC_REQUESTS"),
    ],
)
def test_a_setting_that_was_measured_to_fail_is_named(
    url: str, path: tuple[str, ...], value: object, word: str
) -> None:
    entry: dict[str, Any] = copy.deepcopy(databases.parse(url, 8))
    inner = entry
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    (fault,) = databases.faults(entry)
    assert word in fault


def test_a_connection_gives_a_vanished_server_up_in_half_a_minute(
    postgres_server: PostgresServer, django_db_blocker: DjangoDbBlocker
) -> None:
    wrapper = DatabaseWrapper(databases.parse(postgres_server.url(), 1) | UNUSED)
    try:
        with django_db_blocker.unblock():
            wrapper.ensure_connection()
        with socket.socket(fileno=os.dup(wrapper.connection.fileno())) as opened:
            timeouts = [opened.getsockopt(socket.IPPROTO_TCP, option) for option in TIMEOUTS]
        assert timeouts == [10, 5, 3, 25_000]
    finally:
        wrapper.close_pool()


def test_the_address_may_ask_for_other_patience() -> None:
    found = databases.parse("postgresql://host/name?keepalives_idle=60", 1)
    assert found["OPTIONS"]["keepalives_idle"] == "60"
