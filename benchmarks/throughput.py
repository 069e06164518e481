"""10,000 jobs in the queue, four worker processes: how many a second, and what each waited.

Also, on idle workers: how long from the POST to the start of the job.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

from benchmarks import client, machine, tables
from benchmarks.service import Service
from tests.services.rabbitmq import RabbitServer, is_installed
from tests.services.redis import RedisServer

JOBS = 10_000
WORKERS = 4
SINGLE = 40
DATABASES = ("postgres", "sqlite")
COLUMNS = (
    "database",
    "broker",
    "jobs/s",
    "CPU ms a job",
    "idle: POST to start p50 ms",
    "p99 ms",
    "ended otherwise",
)
FILL = """
from django.db import transaction
from jobs import submission
with transaction.atomic():
    for _ in range({count}):
        submission.submit("selftest", {{"ticks": 1}}, None)
"""
LOOK = """
import json
from jobs.models import Job
rows = list(Job.objects.order_by("created_at").values_list("status", "attempts", "available_at",
                                                            "started_at", "finished_at"))
print(json.dumps([[s, a, v.timestamp(), b and b.timestamp(), f and f.timestamp()]
                  for s, a, v, b, f in rows]))
"""
OPEN = "from jobs.models import Job; print(Job.objects.filter(finished_at=None).count())"


def main() -> None:
    rows = [_measure(database, broker) for database in DATABASES for broker in BROKERS]
    tables.show("python -m benchmarks throughput", COLUMNS, rows)


@contextlib.contextmanager
def embedded() -> Iterator[str]:
    yield "embedded"


@contextlib.contextmanager
def redis() -> Iterator[str]:
    server = RedisServer()
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@contextlib.contextmanager
def rabbitmq() -> Iterator[str]:
    server = RabbitServer()
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


BROKERS = {"embedded": embedded, "Redis": redis}
if is_installed():
    BROKERS["RabbitMQ"] = rabbitmq


def _measure(database: str, broker: str) -> tuple[object, ...]:
    with BROKERS[broker]() as url, Service(database, DF_BROKER_URL=url) as service:
        waits_ms = _idle(service)
        per_second, cpu_ms, wrong = _drain(service)
    return (
        database,
        broker,
        per_second,
        cpu_ms,
        client.percentile(waits_ms, 0.5),
        client.percentile(waits_ms, 0.99),
        wrong,
    )


def _idle(service: Service) -> list[float]:
    """One job after another, each long after the one before."""
    service.start_web(processes=1)
    for _ in range(WORKERS):
        service.start("worker", "--queue=io")
    time.sleep(8)
    body = {"type": "selftest", "ticks": 1}
    message = client.request("POST", "/v1/jobs?wait=10", service.headers, body)
    for _ in range(SINGLE):
        client.run(service.port, lambda _number: message, 1, 1)
        time.sleep(0.15)
    facts = json.loads(service.shell(LOOK))
    service.stop()
    return [(started - due) * 1000 for _, _, due, started, _ in facts]


def _drain(service: Service) -> tuple[float, float, int]:
    """From the first start to the last end of jobs that all waited when the workers came."""
    service.shell(FILL.format(count=JOBS))
    workers = [service.start("worker", "--queue=io") for _ in range(WORKERS)]
    while service.shell(OPEN).strip() != "0":
        time.sleep(2)
    cpu_s = machine.cpu_s(worker.pid for worker in workers)
    facts = json.loads(service.shell(LOOK))[-JOBS:]
    took_s = max(end for *_, end in facts) - min(start for *_, start, _ in facts)
    wrong = sum((status, attempts) != ("succeeded", 1) for status, attempts, *_ in facts)
    return JOBS / took_s, cpu_s * 1000 / JOBS, wrong
