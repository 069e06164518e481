"""The real web server as a process: own data directory, own database, a free port.

`live_sites` starts as many as a test asks for and stops them at its end; `live_site` is one, shared
by the session. All start from a database that was migrated once and holds the staff user `ADMIN`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pytest

from dreamforge_site.environment import BASE_DIR
from tests import environment
from tests.services.postgres import PostgresServer
from tests.services.process import free_port

ADMIN = ("keeper", "a password of the tests")
SQLITE_FILE = "dreamforge.sqlite3"
POSTGRES_TEMPLATE = "live_template"
READY_WITHIN_S = 60
STOP_WITHIN_S = 20
POLL_S = 0.05
LOG_TAIL_CHARS = 6000


class LiveSite:
    """A web server process over a data directory."""

    def __init__(self, data_dir: Path, variables: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log_path = data_dir / "web.log"
        self.variables = child_environment(data_dir, {"DF_PORT": str(self.port), **variables})
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> LiveSite:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "web"],
                cwd=BASE_DIR,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_alive(self.process)
        return self

    def stop(self) -> int | None:
        """TERM, then KILL to what is left of its session; the exit status, None if not running."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _kill_session(process)

    def kill(self) -> None:
        """SIGKILL to the server and everything it started."""
        process, self.process = self.process, None
        if process is not None:
            _kill_session(process)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`manage.py` on this site's data and settings."""
        return manage(self.variables, *arguments)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def _wait_until_alive(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._alive():
            tail = self.log()[-LOG_TAIL_CHARS:]
            if process.poll() is not None:
                raise RuntimeError(f"the site ended with {process.returncode}:\n{tail}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the site did not answer /healthz:\n{tail}")
            time.sleep(POLL_S)

    def _alive(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


class StartSite(Protocol):
    """Starts a site: `database` is the suite's unless named, `variables` are DF_ settings."""

    def __call__(self, *, database: str | None = None, **variables: str) -> LiveSite: ...


def child_environment(data_dir: Path, variables: dict[str, str]) -> dict[str, str]:
    """The whole environment of a process of ours over `data_dir`."""
    settings = {
        "DF_DATA_DIR": str(data_dir),
        "DF_BCRYPT_ROUNDS": environment.BCRYPT_ROUNDS,
        "DF_LOG_FORMAT": "json",
    }
    return environment.clean() | settings | variables


def manage(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    run = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        said = run.stdout + run.stderr
        raise RuntimeError(f"manage.py {arguments[0]} ended with {run.returncode}:\n{said}")
    return run


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _fill(data_dir: Path, variables: dict[str, str]) -> None:
    """Migrate and make the staff user, through the command line as an operator would."""
    name, password = ADMIN
    child = child_environment(data_dir, variables) | {"DJANGO_SUPERUSER_PASSWORD": password}
    manage(child, "migrate", "--verbosity=0")
    staff = (f"--username={name}", f"--email={name}@example.org")
    manage(child, "createsuperuser", "--noinput", "--verbosity=0", *staff)


class Templates:
    """One filled database of each kind, made on first use and copied for each site."""

    def __init__(self, folder: Path, postgres: Callable[[], PostgresServer]) -> None:
        self._folder = folder
        self._postgres = postgres

    def copy(self, database: str, data_dir: Path) -> dict[str, str]:
        """Give `data_dir` a filled database; the settings that lead to it."""
        if database == "sqlite":
            shutil.copy(self._sqlite / SQLITE_FILE, data_dir / SQLITE_FILE)
            return {}
        name = f"live_{uuid.uuid4().hex[:12]}"
        return {"DF_DATABASE_URL": self._filled_postgres.create_database(name, POSTGRES_TEMPLATE)}

    @cached_property
    def _sqlite(self) -> Path:
        _fill(self._folder, {})
        return self._folder

    @cached_property
    def _filled_postgres(self) -> PostgresServer:
        server = self._postgres()
        _fill(self._folder, {"DF_DATABASE_URL": server.create_database(POSTGRES_TEMPLATE)})
        return server


@pytest.fixture(scope="session")
def live_templates(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Templates:
    def postgres() -> PostgresServer:
        server = request.getfixturevalue("postgres_server")
        assert isinstance(server, PostgresServer)
        return server

    return Templates(tmp_path_factory.mktemp("live-template"), postgres)


@contextlib.contextmanager
def starting(templates: Templates) -> Iterator[StartSite]:
    with contextlib.ExitStack() as cleanup:

        def start(*, database: str | None = None, **variables: str) -> LiveSite:
            data_dir = Path(tempfile.mkdtemp(prefix="dreamforge-live-"))
            cleanup.callback(shutil.rmtree, data_dir, ignore_errors=True)
            found = templates.copy(database or environment.database(), data_dir)
            site = LiveSite(data_dir, {**found, **variables})
            cleanup.callback(site.stop)
            return site.start()

        yield start


@pytest.fixture
def live_sites(live_templates: Templates) -> Iterator[StartSite]:
    with starting(live_templates) as start:
        yield start


@pytest.fixture(scope="session")
def live_site(live_templates: Templates) -> Iterator[LiveSite]:
    """One site for the session, with `DF_AUTH=on`: tests make users of their own."""
    with starting(live_templates) as start:
        yield start(DF_AUTH="on")
