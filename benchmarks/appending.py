"""Events a second that one job can write, through what its code is given (`Run.progress`)."""

from __future__ import annotations

import json

from benchmarks import tables
from benchmarks.service import Service

EVENTS = 20_000
COLUMNS = ("database", "events/s", "CPU µs an event")
APPEND = """
import json, time
from django.db import connection
from jobs import claims, execution, submission
submission.submit("selftest", {{"ticks": 1000}}, None)
lease = claims.next_lease("io", "benchmark", ["selftest"])
run = execution.prepare(lease)
began, used = time.perf_counter(), time.process_time()
for number in range({count}):
    run.log("note", "a line of the job's log", number=number)
run.flush()
print(json.dumps([time.perf_counter() - began, time.process_time() - used]))
"""


def main() -> None:
    rows = [_measure(database) for database in ("postgres", "sqlite")]
    tables.show("python -m benchmarks appending", COLUMNS, rows)


def _measure(database: str) -> tuple[object, ...]:
    with Service(database) as service:
        took_s, cpu_s = json.loads(service.shell(APPEND.format(count=EVENTS)).splitlines()[-1])
    return database, EVENTS / took_s, cpu_s * 1e6 / EVENTS
