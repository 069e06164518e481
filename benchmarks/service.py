"""The service under measurement: real processes over a database and a broker of their own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from tests.services.postgres import PostgresServer
from tests.services.process import free_port

ROOT = Path(__file__).resolve().parents[1]
USER = "bench"
ROOMY = "1000000"  # nobody is refused for having many jobs waiting
READY_WITHIN_S = 60


class DurablePostgres(PostgresServer):
    """As operators run it: a commit is on the disk before it is acknowledged."""

    def command(self) -> list[str]:
        speed = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
        command = super().command()
        pairs = itertools.pairwise(command)
        dropped = {at for at, (_, value) in enumerate(pairs) if value in speed}
        return [word for at, word in enumerate(command) if not {at, at - 1} & dropped]


class Service:
    """`with Service(...) as service:` migrated, with a user and a key; gone afterwards."""

    def __init__(self, database: str = "sqlite", **variables: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dreamforge-bench-"))
        self.port = free_port()
        self.postgres = DurablePostgres() if database == "postgres" else None
        self.key = ""
        self._variables = variables
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Service:
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def environment(self) -> dict[str, str]:
        given = {
            "DF_DATA_DIR": str(self.folder),
            "DF_PORT": str(self.port),
            "DF_AUTH": "on",
            "DF_JOB_MAX_QUEUED": ROOMY,
            "DF_LOG_FORMAT": "json",
            "DREAMFORGE_BENCH_MARK": str(self.folder),
        }
        if self.postgres is not None:
            given["DF_DATABASE_URL"] = self.postgres.url()
        inherited = {name: value for name, value in os.environ.items() if name[:3] != "DF_"}
        return {**inherited, **given, **self._variables}

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run `manage.py …` beside us until the end."""
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def start_web(self, processes: int = 2) -> subprocess.Popen[bytes]:
        self._variables["DF_WEB_PROCESSES"] = str(processes)
        web = self.start("web")
        wait_for_http(self.port, "/healthz")
        return web

    def shell(self, code: str) -> str:
        """What `code` prints in this service's Django."""
        return self.manage("shell", "--no-imports", "--command", code)

    def stop(self) -> None:
        """End every process of the service; its data stay."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            end(process)
        self.processes.clear()

    def close(self) -> None:
        self.stop()
        if self.postgres is not None:
            self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare(self) -> None:
        if self.postgres is not None:
            self.postgres.start()
        self.manage("migrate", "--verbosity=0")
        self._variables["DJANGO_SUPERUSER_PASSWORD"] = "a password of the benchmarks"
        self.manage("createsuperuser", "--noinput", f"--username={USER}", "--email=b@example.org")
        key = self.manage("apikey_create", f"--user={USER}", "--name=bench", "--scopes=read,jobs")
        self.key = key.strip()


def wait_for_http(port: int, path: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing answered at port {port}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for it, and for nothing of its session to be left."""
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
