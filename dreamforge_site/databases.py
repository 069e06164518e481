"""From a database URL to Django's DATABASES entry, and the check that refuses what failed before.

SQLite: several processes write to one file. With DEFERRED transactions two of them deadlock at once
whatever the timeout ("database is locked"); IMMEDIATE with WAL and a 20 s wait showed no error.
PostgreSQL: a connection per request triples the CPU of a request, and persistent connections under
threads exhaust the server; a small pool with health checks survives a restart of the server.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote

from dreamforge_site import addresses

SQLITE_TIMEOUT_S = 20
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL;"
    # FULL: a commit that was acknowledged survives a power cut.
    "PRAGMA synchronous=FULL;"
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA cache_size=-16000;"
)
POOL_TIMEOUT_S = 10
# A few hot statements are prepared, when a connection says them again. An address that leads to a
# pooler which hands each statement to another connection ends with ?prepare_threshold=none.
PREPARE_THRESHOLD = "1"
CONNECT_TIMEOUT_S = 5
# A server whose machine or network vanished says nothing, and a read would wait for it two hours.
VANISHED = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds, for what was sent and is not acknowledged
}
NO_SUCH_TABLE = "42P01"  # in PostgreSQL's own words
REMEDY = "check DF_DATABASE_URL and free space"


def parse(url: str, pool_size: int) -> dict[str, Any]:
    """The DATABASES entry for `url`; ValueError when it names no database we support."""
    parts = addresses.split(url)
    if parts.scheme == "sqlite":
        return _sqlite(parts)
    if parts.scheme in ("postgresql", "postgres"):
        return _postgresql(addresses.server(url), pool_size)
    raise ValueError("got an address of another kind")


def _sqlite(parts: SplitResult) -> dict[str, Any]:
    # sqlite:///relative and sqlite:////absolute, as everywhere else.
    if parts.netloc:
        raise ValueError("got a path with too few slashes in front")
    if parts.query or parts.fragment:
        raise ValueError("got a path with ? or #, which are written %3F and %23")
    name = unquote(parts.path).removeprefix("/")
    if not name or name == ":memory:":
        raise ValueError("a file is needed: several processes share it")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(name).absolute(),
        # A connection per thread, kept: opening the file and its pragmas cost more than a query.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": SQLITE_TIMEOUT_S,
            "init_command": SQLITE_PRAGMAS,
        },
    }


def _postgresql(parts: SplitResult, pool_size: int) -> dict[str, Any]:
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise ValueError("the database's name is missing")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    options["prepare_threshold"] = _threshold(options.get("prepare_threshold", PREPARE_THRESHOLD))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": CONNECT_TIMEOUT_S,
            **VANISHED,
            **options,
            "pool": {
                "min_size": 1,
                "max_size": pool_size,
                "timeout": POOL_TIMEOUT_S,
                # The pool doubles its waits while the server is away, without a bound: after an
                # outage of a minute it would stay away for half a minute more, and running jobs
                # would lose their leases. Giving up early makes the next caller begin anew, so that
                # it is back four seconds after the server at the latest.
                "reconnect_timeout": POOL_TIMEOUT_S,
            },
        },
    }


def _threshold(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isascii() or not text.isdigit():
        raise ValueError("prepare_threshold takes a number or none")
    return int(text)


def is_file(settings: dict[str, Any]) -> bool:
    return str(settings["ENGINE"]).endswith("sqlite3")


def faults(settings: dict[str, Any]) -> list[str]:
    """Why this DATABASES entry must not be used: one sentence a fault, none when it is sound."""
    found = []
    options = settings.get("OPTIONS", {})
    if settings.get("ATOMIC_REQUESTS"):
        found.append("ATOMIC_REQUESTS makes every GET wait for the write lock")
    if is_file(settings):
        if options.get("transaction_mode") != "IMMEDIATE":
            found.append("transaction_mode must be IMMEDIATE, or writers deadlock")
        if (options.get("timeout") or 0) < SQLITE_TIMEOUT_S:
            found.append(f"timeout must be at least {SQLITE_TIMEOUT_S} s")
        if "journal_mode=WAL" not in options.get("init_command", ""):
            found.append("journal_mode must be WAL, or readers block writers")
    if settings["ENGINE"].endswith("postgresql"):
        if not options.get("pool"):
            found.append("a connection pool is needed, or threads exhaust the server")
        if not settings.get("CONN_HEALTH_CHECKS"):
            found.append("CONN_HEALTH_CHECKS is needed, or a restart of the server answers 500s")
    return found


def opening_faults(settings: dict[str, Any]) -> list[str]:
    """What opening the file shows: some network file systems take the setting and keep no WAL."""
    if not is_file(settings):
        return []
    try:
        mode = _journal_mode(settings["NAME"], settings["OPTIONS"]["init_command"])
    except sqlite3.Error as error:
        return [f"cannot be opened: {error}; check DF_DATABASE_URL and the file"]
    if mode == "wal":
        return []
    return [f"journal_mode is {mode!r} though WAL was asked for; keep the file on a local disk"]


def _journal_mode(path: Path, pragmas: str) -> str:
    with contextlib.closing(sqlite3.connect(path, timeout=SQLITE_TIMEOUT_S)) as connection:
        connection.executescript(pragmas)
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def complaint(error: Exception) -> str:
    """One line for the command line: what the database says, and what to do."""
    # PostgreSQL repeats the statement in the lines that follow.
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    missing = "no such table" in reason or getattr(error.__cause__, "sqlstate", "") == NO_SUCH_TABLE
    return f"{reason}; {'run `manage.py migrate`' if missing else REMEDY}"
