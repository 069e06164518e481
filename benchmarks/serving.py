"""One large file through `/hf/`, against a plain read of it and other servers of files.

`python -m benchmarks.serving [--mib 1024] [--rounds 3]`; needs curl, takes rclone if it is there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import hubs
from tests.downloader.hub.serving import live
from tests.hubs import models
from tests.live import ADMIN, LiveSite, child_environment, manage
from tests.services.process import free_port

NAME = "bench/large"
FILE = "large.safetensors"
PARALLEL = 4
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    name: str
    address: str
    pid: int | None = None
    key: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="serving-") as name, ExitStack() as stack:
        mirror = _mirrored(Path(name), asked.mib << 20, stack)
        blob = max(mirror.blobs, key=lambda path: path.stat().st_size)
        address = f"{mirror.endpoint}/{NAME}/resolve/main/{FILE}"
        pid = mirror.site.process.pid if mirror.site.process else None
        servers = [Server("ours", address, pid, mirror.key), *_others(blob, stack)]
        _tell(servers, blob, asked.rounds)


def _mirrored(folder: Path, size: int, stack: ExitStack) -> live.Mirror:
    def start(*, database: str | None = None, **variables: str) -> LiveSite:
        child = child_environment(folder, variables) | {"DJANGO_SUPERUSER_PASSWORD": ADMIN[1]}
        manage(child, "migrate", "--verbosity=0")
        staff = (f"--username={ADMIN[0]}", f"--email={ADMIN[0]}@example.org")
        manage(child, "createsuperuser", "--noinput", "--verbosity=0", *staff)
        site = LiveSite(folder, variables)
        stack.callback(site.stop)
        return site.start()

    with hubs.running() as hub:
        hub.huggingface.add(NAME, {FILE: models.sdxl_checkpoint(size=size, seed=1)})
        return live.start(start, hub, folder, (NAME, "main"))


def _others(blob: Path, stack: ExitStack) -> Iterator[Server]:
    port = str(free_port())
    below = str(blob.parent)
    words = [sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1", "-d", below]
    yield stack.enter_context(_serving("python -m http.server", words, port, blob))
    rclone = shutil.which("rclone")
    if rclone:
        port = str(free_port())
        words = [rclone, "serve", "http", below, "--addr", f"127.0.0.1:{port}"]
        yield stack.enter_context(_serving("rclone serve http", words, port, blob))


@contextmanager
def _serving(name: str, words: list[str], port: str, blob: Path) -> Iterator[Server]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, stdout=quiet, stderr=quiet)
    try:
        address = f"http://127.0.0.1:{port}/{blob.name}"
        probe = ["curl", "-sfI", "--retry", "50", "--retry-connrefused", "--retry-delay", "1"]
        subprocess.run([*probe, address], stdout=quiet, check=True)
        yield Server(name, address, process.pid)
    finally:
        process.terminate()
        process.wait()


def _tell(servers: list[Server], blob: Path, rounds: int) -> None:
    subprocess.run(["cat", blob], stdout=subprocess.DEVNULL, check=True)  # into the cache
    print("| server | clients | seconds | GB/s in all | CPU s of the server | peak RSS, MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with blob.open("rb") as file:
        floor = statistics.median(_timed(lambda: _read(file.fileno())) for _ in range(rounds))
    size_gb = blob.stat().st_size / 1e9
    print(f"| a read of the file | 1 | {floor:.2f} | {size_gb / floor:.2f} |  |  |")
    for clients in (1, PARALLEL):
        for server in servers:
            print(_row(server, clients, rounds, size_gb))


def _row(server: Server, clients: int, rounds: int, size_gb: float) -> str:
    before = _cpu_s(server.pid)
    took_s = statistics.median(_timed(lambda: _curl(server, clients)) for _ in range(rounds))
    cpu_s = (_cpu_s(server.pid) - before) / rounds
    rate = clients * size_gb / took_s
    return (
        f"| {server.name} | {clients} | {took_s:.2f} | {rate:.2f} | {cpu_s:.2f} | "
        f"{_peak_mb(server.pid)} |"
    )


def _curl(server: Server, clients: int) -> None:
    key = ["-H", f"Authorization: Bearer {server.key}"] if server.key else []
    words = ["curl", "-sf", *key, "-o", os.devnull, server.address]
    running = [subprocess.Popen(words) for _ in range(clients)]
    ended = [process.wait() for process in running]
    if any(ended):
        raise RuntimeError(f"curl ended with {ended} at {server.name}")


def _read(file: int) -> None:
    at = 0
    while block := os.pread(file, 1 << 20, at):
        at += len(block)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _cpu_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _peak_mb(pid: int | None) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) // 1000


if __name__ == "__main__":
    main()
