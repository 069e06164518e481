"""A PostgreSQL server of the newest version installed."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from tests.services import found
from tests.services.process import ServerProcess

DATABASE = "dreamforge"
ROLE = "dreamforge"
UNPRIVILEGED = ("postgres", "nobody")
# What a crash would lose is of no interest here; the tests are twice as fast without it.
SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
# One server serves all the test processes of a parallel run, and the services they start.
ROOM = ("max_connections=400",)


class PostgresServer(ServerProcess):
    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions instead of waiting for them

    def __init__(self) -> None:
        self.user = _unprivileged_user() if os.geteuid() == 0 else None
        super().__init__()
        self.password = secrets.token_hex(8)
        self._data = self.folder / "data"

    def start(self) -> None:
        first = not self._data.exists()
        if first:
            self._initialise()
        super().start()
        if first:
            self.create_database(DATABASE)

    def command(self) -> list[str]:
        options = ("listen_addresses=127.0.0.1", "unix_socket_directories=", *SPEED, *ROOM)
        switches = [part for option in options for part in ("-c", option)]
        return [str(_binary("postgres")), "-D", str(self._data), "-p", str(self.port), *switches]

    def answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, database: str, template: str = "template1") -> str:
        """Create an empty database, or a copy of `template`, and return its URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(database), sql.Identifier(template)
        )
        with self._connect() as connection:
            connection.execute(statement)
        return self.url(database)

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), connect_timeout=2, autocommit=True)

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self.user:
            shutil.chown(password_file, self.user)
        initdb = _binary("initdb")
        subprocess.run(
            [
                *self._dies_with_the_run(),
                str(initdb),
                f"--pgdata={self._data}",
                f"--username={ROLE}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            env=found.environment(initdb),
            check=True,
            capture_output=True,
            cwd=self.folder,
        )


def _unprivileged_user() -> str:
    """initdb and postgres refuse to run as root."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


def _binary(name: str) -> Path:
    """Debian keeps the server's programs out of PATH, in a folder for each version."""
    return found.program(f"usr/lib/postgresql/*/bin/{name}")
