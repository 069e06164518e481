"""Running one contestant once: how long, how much memory, how many bytes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.download.cases import MIB, Case, Content
from benchmarks.download.contestants import Contestant, Job

_LOOK_S = 0.01
_LIMIT_S = 600


@dataclass(frozen=True)
class Run:
    seconds: float
    rss_mb: float
    fetched: float  # body bytes sent for it, over the size


class Servers:
    """The file server, and the hub when somebody needs it."""

    def __init__(self, case: Case, content: Content, with_hub: bool) -> None:
        self._case = case
        self._processes: list[subprocess.Popen[str]] = []
        self.files = f"http://127.0.0.1:{self._start('benchmarks.download.server', content.folder)}"
        self.hub, self._door = "", ""
        if with_hub:
            self._start_hub(content)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def sent(self, from_hub: bool) -> int:
        if from_hub:
            return sum(entry["sent"] for entry in json.loads(_ask(f"{self._door}/requests")))
        return int(_ask(f"{self.files}/sent"))

    def _start_hub(self, content: Content) -> None:
        fill = "benchmarks.download.hub_client:fill"
        told = json.dumps({"folder": str(content.folder)})
        origins = json.loads(self._start("tests.hubs", "--fill", fill, "--with", told))
        self.hub, self._door = origins["huggingface"], origins["control"]
        if self._case.rate:
            self._fault({"fault": "RateCap", "rate": self._case.rate})
        if self._case.latency_s:
            self._fault({"fault": "Latency", "seconds": self._case.latency_s})

    def _fault(self, fault: dict[str, object]) -> None:
        _ask(f"{self._door}/faults", json.dumps(fault).encode())

    def _start(self, module: str, *arguments: object) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._processes.append(process)
        assert process.stdout
        return process.stdout.readline().strip()


@contextmanager
def serving(case: Case, content: Content, *, with_hub: bool) -> Iterator[Servers]:
    servers = Servers(case, content, with_hub)
    try:
        yield servers
    finally:
        servers.stop()


def once(contestant: Contestant, case: Case, content: Content, servers: Servers, root: Path) -> Run:
    """Into an empty folder, behind a write of as many bytes: memory that a virtual machine gave
    back is slow to get again, and everybody shall find the same."""
    folder = root / "target"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(root / "hf-home", ignore_errors=True)
    folder.mkdir()
    _warm(root / "warm", case.bytes)
    job = Job(case, content, servers.files, servers.hub, folder)
    script = contestant.script(job)
    if case.killed:
        _killed(script, lambda: servers.sent(contestant.from_hub), case.bytes // 2)
    before = servers.sent(contestant.from_hub)
    seconds, rss_mb = _measured(script)
    fetched = servers.sent(contestant.from_hub) - before
    shutil.rmtree(folder)
    return Run(seconds, rss_mb, fetched / case.bytes)


def _measured(script: str) -> tuple[float, float]:
    begun = time.perf_counter()
    process = _shell(script)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"failed: {script}"
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def _killed(script: str, sent: object, enough: int) -> None:
    """kill -9 for the whole group when so many bytes more are sent."""
    assert callable(sent)
    until = sent() + enough
    process = _shell(script)
    give_up = time.monotonic() + _LIMIT_S
    while sent() < until and process.poll() is None and time.monotonic() < give_up:
        time.sleep(_LOOK_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.3)  # the server notices


def _shell(script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sh", "-c", script], start_new_session=True)


def _warm(path: Path, size: int) -> None:
    data = os.urandom(MIB)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(data)
    path.unlink()
    os.sync()


def _ask(url: str, body: bytes | None = None) -> bytes:
    address = urlsplit(url)
    with closing(HTTPConnection(address.netloc)) as connection:
        connection.request("GET" if body is None else "POST", address.path, body)
        return connection.getresponse().read()
