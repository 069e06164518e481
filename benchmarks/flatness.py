"""The calls that are made most, with 100,000 jobs in the table beside an empty one."""

from __future__ import annotations

import statistics

from benchmarks import client, tables
from benchmarks.service import USER, Service

MANY = 100_000
REQUESTS = 300
COLUMNS = ("database", "call", "few jobs p50 ms", "100,000 jobs p50 ms", "ratio")
FILL = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone
from jobs.models import Job
owner = get_user_model().objects.get(username="{user}")
now = timezone.now()
def job(at):
    over, created = at % 2 == 0, now - timedelta(seconds={count} - at)
    ended = dict(status="succeeded", started_at=created, finished_at=created) if over else {{}}
    return Job(type="selftest", queue="io", owner=owner, share=str(owner.pk), created_at=created,
               available_at=created, **ended)
Job.objects.bulk_create((job(at) for at in range({count})), batch_size=2000)
connection.cursor().execute("ANALYZE")
for job in Job.objects.order_by("-created_at")[:2]:
    print(job.status, job.id)
"""
CALLS = {
    "newest 50": "/v1/jobs?limit=50",
    "newest 50 queued": "/v1/jobs?limit=50&status=queued",
    "a job that ended": "/v1/jobs/{succeeded}",
    "a job that waits, with its place": "/v1/jobs/{queued}",
}


def main() -> None:
    rows: list[tuple[object, ...]] = []
    for database in ("postgres", "sqlite"):
        rows += _measure(database)
    tables.show("python -m benchmarks flatness", COLUMNS, rows)


def _measure(database: str) -> list[tuple[object, ...]]:
    with Service(database) as few, Service(database) as many:
        paths = [_filled(few, 100), _filled(many, MANY)]
        rows = []
        for name in CALLS:
            # In turns, so that a busy neighbour hits both.
            pairs = [
                (_median_ms(few, paths[0][name]), _median_ms(many, paths[1][name]))
                for _ in range(3)
            ]
            small, big = (statistics.median(values) for values in zip(*pairs, strict=True))
            rows.append((database, name, small, big, big / small))
        return rows


def _filled(service: Service, count: int) -> dict[str, str]:
    said = service.shell(FILL.format(user=USER, count=count)).split()
    known = dict(zip(said[::2], said[1::2], strict=True))
    service.start_web(processes=1)
    return {name: path.format(**known) for name, path in CALLS.items()}


def _median_ms(service: Service, path: str) -> float:
    message = client.request("GET", path, service.headers)
    load = client.run(service.port, lambda _number: message, 1, REQUESTS)
    assert set(load.statuses) == {200}, load.statuses
    return load.percentile_ms(0.5)
