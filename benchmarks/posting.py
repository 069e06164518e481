"""POST /v1/jobs with a key and an Idempotency-Key, beside the floor, round after round."""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from benchmarks import client, machine, tables
from benchmarks.client import Load
from benchmarks.service import ROOT, Service, end, wait_for_http
from tests.services.process import free_port

CONNECTIONS = 16
REQUESTS = 4000
WARM_UP = 400
ROUNDS = 3
BODY = {"type": "selftest", "items": 1, "ticks": 4, "tick_ms": 0}
COLUMNS = (
    "server",
    "database",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU ms web",
    "CPU ms database",
    "not 202",
)


@dataclass
class Contender:
    name: str
    database: str
    port: int
    key: str
    web: int
    server: int | None

    def round(self, requests: int) -> tuple[Load, float, float]:
        """The load, and the CPU milliseconds a request cost the web and the database server."""
        before = self._cpu()
        load = client.run(self.port, self._request, CONNECTIONS, requests)
        time.sleep(0.3)  # what was put off until after the answer counts too
        web, server = (now - then for now, then in zip(self._cpu(), before, strict=True))
        return load, web * 1000 / requests, server * 1000 / requests

    def _cpu(self) -> tuple[float, float]:
        return machine.cpu_s([self.web]), machine.cpu_s([self.server] if self.server else [])

    def _request(self, number: int) -> bytes:
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": uuid.uuid4().hex}
        return client.request("POST", "/v1/jobs", headers, BODY)


def main() -> None:
    rows: list[tuple[object, ...]] = []
    with Service("postgres") as service, floor(service) as floor_contender:
        rows += _measure([ours(service, "postgres"), floor_contender])
    with Service("sqlite") as service:
        rows += _measure([ours(service, "sqlite")])
    tables.show("python -m benchmarks posting", COLUMNS, rows)


def ours(service: Service, database: str) -> Contender:
    web = service.start_web(processes=2)
    server = service.postgres.pid if service.postgres else None
    return Contender("Dream Forge", database, service.port, service.key, web.pid, server)


@contextmanager
def floor(service: Service) -> Iterator[Contender]:
    assert service.postgres is not None
    from benchmarks.floor import TABLES

    address = service.postgres.create_database("floor")
    key_hash = hashlib.sha256(f"Bearer {service.key}".encode()).hexdigest()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TABLES)
        connection.execute("INSERT INTO floor_key VALUES (%s, 'owner')", [key_hash])
    port = free_port()
    web = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.floor:app",
            "--workers=2",
            f"--port={port}",
            "--log-level=warning",
            "--no-access-log",
        ],
        cwd=ROOT,
        env={**service.environment, "DREAMFORGE_BENCH_FLOOR": address},
    )
    try:
        wait_for_http(port, "/docs")
        yield Contender("floor", "postgres", port, service.key, web.pid, service.postgres.pid)
    finally:
        web.terminate()
        end(web)


def _measure(contenders: list[Contender]) -> list[tuple[object, ...]]:
    """Side by side: a round of each in turn, so that a busy neighbour hits both."""
    for contender in contenders:
        contender.round(WARM_UP)
    rounds = [(c, c.round(REQUESTS)) for _ in range(ROUNDS) for c in contenders]
    return [_row(c, [result for found, result in rounds if found is c]) for c in contenders]


def _row(contender: Contender, results: list[tuple[Load, float, float]]) -> tuple[object, ...]:
    def median(values: Iterator[float]) -> float:
        return statistics.median(values)

    loads = [load for load, _, _ in results]
    return (
        contender.name,
        contender.database,
        median(load.per_second for load in loads),
        median(load.percentile_ms(0.5) for load in loads),
        median(load.percentile_ms(0.99) for load in loads),
        median(web for _, web, _ in results),
        median(server for _, _, server in results),
        sum(n for load in loads for status, n in load.statuses.items() if status != 202),
    )
