"""A hub in a process of its own: for benchmarks, where it must not share a lock with the client,
and for whoever kills and restarts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.hubs.civitai.site import MEMBER
from tests.hubs.huggingface.site import READER

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN_S = 10


class RemoteHub:
    """What a test does with a hub, through its door."""

    huggingface_token = READER
    civitai_token = MEMBER

    def __init__(self, origins: dict[str, str], pid: int) -> None:
        self.endpoint = origins["huggingface"]
        self.civitai_endpoint = origins["civitai"]
        self.cdn_origin = origins["cdn"]
        self.web_origin = origins["web"]
        self._door = origins["control"]
        self.pid = pid

    def requests(self, path: str = "*", *, origin: str = "") -> list[dict[str, Any]]:
        """The entries of the log, as objects of JSON."""
        found: list[dict[str, Any]] = self._ask("requests", {"path": path, "origin": origin})
        return found

    def bytes_sent(self, path: str = "*", *, origin: str = "") -> int:
        return sum(entry["sent"] for entry in self.requests(path, origin=origin))

    @property
    def leaks(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._ask("leaks")
        return found

    def add_fault(self, fault: str, **arguments: Any) -> None:
        """By the name of its class, with its arguments and those of the rule in one."""
        self._ask("faults", body={"fault": fault, **arguments})

    def clear_faults(self) -> None:
        self._ask("faults", method="DELETE")

    def expire_all(self) -> None:
        self._ask("expire")

    def rotate_cdn(self) -> None:
        self.cdn_origin = self._ask("rotate")["cdn"]

    def forget_requests(self) -> None:
        self._ask("requests", method="DELETE")

    def _ask(
        self,
        door: str,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        method: str | None = None,
    ) -> Any:
        address = f"{self._door}/{door}?{urllib.parse.urlencode(query or {})}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request) as response:
            return json.load(response)


@contextmanager
def process(
    fill: str = "tests.hubs.demo:fill", *, ports: tuple[int, ...] = (), **arguments: Any
) -> Iterator[RemoteHub]:
    """A hub process until the block ends, or until this process does. `fill` names the function
    that puts models into it, `arguments` go to that function, as JSON. `ports`: as in `Ports`."""
    command = [sys.executable, "-m", "tests.hubs", "--fill", fill, "--with", json.dumps(arguments)]
    command += ["--stop-with-stdin", "--ports", ",".join(str(port) for port in ports)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout
        assert running.stdin
        line = running.stdout.readline()
        if not line:
            raise RuntimeError(f"the hub process ended with {running.wait()}")
        try:
            yield RemoteHub(json.loads(line), running.pid)
        finally:
            running.stdin.close()
            _wait(running)


def _wait(running: subprocess.Popen[bytes]) -> None:
    try:
        running.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        running.kill()
