"""The servers that are measured: the real web process, and the floor."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.services.postgres import PostgresServer
from tests.services.process import free_port

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60
USER = "bench"


@dataclass
class Site:
    variables: dict[str, str]
    key: str = ""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def post_jobs(self, count: int) -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        ids = []
        for _ in range(count):
            body = json.dumps({"type": "selftest"})
            connection.request("POST", "/v1/jobs", body, {"content-type": "application/json"})
            ids.append(json.loads(connection.getresponse().read())["job"]["id"])
        connection.close()
        return ids

    def run(self, module: str, wanted: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.sse.{module}"],
            cwd=ROOT,
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.children.append(process)
        assert process.stdin is not None
        process.stdin.write(json.dumps(wanted) + "\n")
        process.stdin.flush()
        return process


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    server = PostgresServer()
    server.start()
    try:
        yield server.url()
    finally:
        server.stop()


@contextlib.contextmanager
def site(kind: str) -> Iterator[Site]:
    """The service's own web process with an empty database of its own."""
    with tempfile.TemporaryDirectory(prefix="dreamforge-bench-") as name:
        folder = Path(name)
        with database(kind, folder) as url:
            kept = {key: value for key, value in os.environ.items() if not key.startswith("DF_")}
            variables = kept | {
                "DF_DATA_DIR": name,
                "DF_DATABASE_URL": url,
                "DF_AUTH": "off",
                "DF_LOG_LEVEL": "warning",
                "DF_JOB_MAX_QUEUED": "0",
            }
            manage = [sys.executable, "manage.py"]
            found = Site(variables, key=_prepare(manage, variables))
            with _serving(found, [*manage, "web"]):
                yield found


def _prepare(manage: list[str], variables: dict[str, str]) -> str:
    """An empty database with one user; a key of hers."""
    told = {**variables, "DJANGO_SUPERUSER_PASSWORD": "a password of the benchmarks"}
    user = ["--noinput", f"--username={USER}", "--email=b@example.org"]
    key = [f"--user={USER}", "--name=bench", "--scopes=read,jobs"]
    for words in (
        ["migrate", "--verbosity=0"],
        ["createsuperuser", *user],
        ["apikey_create", *key],
    ):
        done = subprocess.run(
            [*manage, *words], cwd=ROOT, env=told, check=True, stdout=subprocess.PIPE, text=True
        )
    return done.stdout.strip()


@contextlib.contextmanager
def floor(beside: Site) -> Iterator[Site]:
    """The floor's process over the same database."""
    variables = beside.variables | {
        "DREAMFORGE_BENCH_DATABASE": beside.variables["DF_DATABASE_URL"]
    }
    found = Site(variables)
    command = [sys.executable, "-m", "uvicorn", "benchmarks.sse.floor:application"]
    command += ["--loop=uvloop", "--http=httptools", "--lifespan=off", "--log-level=warning"]
    with _serving(found, command, port_option="--port"):
        yield found


@contextlib.contextmanager
def _serving(found: Site, command: list[str], port_option: str = "") -> Iterator[None]:
    found.port = free_port()
    found.variables["DF_PORT"] = str(found.port)
    options = [port_option, str(found.port)] if port_option else []
    found.process = subprocess.Popen([*command, *options], cwd=ROOT, env=found.variables)
    try:
        _wait_until_it_listens(found.port)
        yield
    finally:
        for child in found.children:
            child.kill()
        found.process.terminate()
        try:
            found.process.wait(15)
        except subprocess.TimeoutExpired:
            found.process.kill()


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.connect()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise SystemExit("The server did not start; its own words stand above.")
