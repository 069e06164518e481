"""From a database URL to Django's DATABASES entry, and the check that refuses what failed before.

SQLite: several processes write to one file. With DEFERRED transactions two of them deadlock at once
whatever the timeout ("database is locked"); IMMEDIATE with WAL and a 20 s wait showed no error.
PostgreSQL: a connection per request triples the CPU of a request, and persistent connections under
threads exhaust the server; a small pool with health checks survives a restart of the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SQLITE_TIMEOUT_S = 20
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL;"
    # FULL: a commit that was acknowledged survives a power cut.
    "PRAGMA synchronous=FULL;"
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA cache_size=-16000;"
)
POOL_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5


def parse(url: str, pool_size: int) -> dict[str, Any]:
    """The DATABASES entry for `url`; ValueError when it names no database we support."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(unquote(parts.path))
    if parts.scheme in ("postgresql", "postgres"):
        return _postgresql(url, pool_size)
    raise ValueError("unknown scheme")


def _sqlite(path: str) -> dict[str, Any]:
    # sqlite:///relative and sqlite:////absolute, as everywhere else.
    name = path.removeprefix("/")
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


def _postgresql(url: str, pool_size: int) -> dict[str, Any]:
    parts = urlsplit(url)
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise ValueError("the database's name is missing")
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
            **dict(parse_qsl(parts.query)),
            "pool": {"min_size": 1, "max_size": pool_size, "timeout": POOL_TIMEOUT_S},
        },
    }


def faults(settings: dict[str, Any]) -> list[str]:
    """Why this DATABASES entry must not be used: one sentence a fault, none when it is sound."""
    found = []
    options = settings.get("OPTIONS", {})
    if settings.get("ATOMIC_REQUESTS"):
        found.append("ATOMIC_REQUESTS makes every GET wait for the write lock")
    if settings["ENGINE"].endswith("sqlite3"):
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
