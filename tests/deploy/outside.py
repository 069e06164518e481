"""A service of docker-compose.yml as a process of this machine, with its exact command.

Only addresses and paths are changed, by plain replacement: what was a name of the network is a port
on loopback, what was a folder of the container is one of the test. Its environment is `.env` with
the service's own variables above it, and nothing of ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dreamforge_site.environment import BASE_DIR
from tests.deploy import compose
from tests.services.postgres import PostgresServer
from tests.services.process import POLL_S, READY_WITHIN_S, ServerProcess
from tests.services.redis import RedisServer

Places = dict[str, str]


def adapted(text: str, places: Places) -> str:
    for inside, outside in places.items():
        text = text.replace(inside, outside)
    return text


def words(command: list[str], places: Places) -> list[str]:
    return [adapted(word, places) for word in command]


class Service(ServerProcess):
    """One of our own services: `answers` is its health check."""

    def __init__(self, name: str, places: Places, variables: dict[str, str]) -> None:
        self.name = name
        super().__init__()
        self.definition = _definition(name)
        data = self.folder / "data"
        data.mkdir()
        own = f"127.0.0.1:{self.port}"
        ports = dict.fromkeys(("127.0.0.1:8000", "127.0.0.1:9100", "0.0.0.0:9100"), own)
        self.places = {"/data": str(data), **ports, **places}
        inside = variables | self.definition["environment"]
        self.variables = {key: adapted(value, self.places) for key, value in inside.items()}
        self.variables |= {"DF_PORT": str(self.port), "PATH": _path()}

    def command(self) -> list[str]:
        return self._in_its_environment(self.definition["command"])

    def answers(self) -> bool:
        kind, *check = self.definition["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(self._in_its_environment(check), capture_output=True, check=False)
        return done.returncode == 0

    def wait_for(self, line: str) -> None:
        """Until the service has logged `line`."""
        process = self._running()
        deadline = time.monotonic() + READY_WITHIN_S
        while line not in self.log():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} never logged {line}:\n{self.log()}")
            time.sleep(POLL_S)

    def to_the_end(self) -> subprocess.CompletedProcess[str]:
        """For a one-shot: run it and return how it ended."""
        try:
            return subprocess.run(self.command(), capture_output=True, text=True, check=False)
        finally:
            self.stop()

    def terminated(self) -> int:
        """The exit status after TERM, within the grace the file gives."""
        process = self._running()
        process.terminate()
        grace = str(self.definition["stop_grace_period"])
        return process.wait(float(grace.removesuffix("s")))

    def _in_its_environment(self, command: list[str]) -> list[str]:
        given = [f"{name}={value}" for name, value in self.variables.items()]
        place = f"--chdir={BASE_DIR}"
        return ["env", "--ignore-environment", place, *given, *words(command, self.places)]


class ComposePostgres(PostgresServer):
    """PostgreSQL with the file's options; `initdb` is what the image does at its first start."""

    def __init__(self) -> None:
        super().__init__()
        self.definition = _definition("postgres")
        self.password = self.definition["environment"]["POSTGRES_PASSWORD"]

    def command(self) -> list[str]:
        program, *options = self.definition["command"]
        ours = super().command()
        assert Path(ours[0]).name == program
        return [*ours, *options]

    def healthcheck(self) -> subprocess.CompletedProcess[bytes]:
        _, program, *options = self.definition["healthcheck"]["test"]
        beside = Path(super().command()[0]).with_name(program)
        port = f"--port={self.port}"
        return subprocess.run([beside, *options, port], capture_output=True, check=False)


class ComposeRedis(RedisServer):
    """Redis by the file's own shell line."""

    def __init__(self) -> None:
        super().__init__()
        self.definition = _definition("redis")
        program = Path(super().command()[0])
        self.places = {
            "/tmp/redis.conf": str(self.folder / "redis.conf"),
            "--dir /data": f"--dir {self.folder}",
            "--port 6379": f"--bind 127.0.0.1 --port {self.port}",
            "redis-cli": f"redis-cli -p {self.port}",
        }
        self._programs = str(program.parent)

    def command(self) -> list[str]:
        return self._in_its_environment(self.definition["command"])

    def answers(self) -> bool:
        kind, line = self.definition["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        check = self._in_its_environment(["sh", "-c", line])
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    def _in_its_environment(self, command: list[str]) -> list[str]:
        given = [f"{name}={value}" for name, value in self.definition["environment"].items()]
        path = f"PATH={self._programs}:{os.environ['PATH']}"
        return ["env", "--ignore-environment", path, *given, *words(command, self.places)]


def _definition(name: str) -> dict[str, Any]:
    document = compose.load(compose.BASE, variables=compose.VARIABLES)
    found = document["services"][name]
    assert isinstance(found, dict)
    return found


def _path() -> str:
    """`python` is the image's own there, the test's own here."""
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def free_places(postgres: PostgresServer, redis: RedisServer, s3_endpoint: str) -> Places:
    return {
        "@postgres:5432": f"@127.0.0.1:{postgres.port}",
        "@redis:6379": f"@127.0.0.1:{redis.port}",
        "http://minio:9000": s3_endpoint,
    }
