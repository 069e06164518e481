"""kill -9 of a worker in the middle of a job: how long until another has started it again."""

from __future__ import annotations

import json
import os
import signal
import statistics
import time

from benchmarks import tables
from benchmarks.service import Service, end

TRIALS = 4
COLUMNS = ("database", "kill to next start, median s", "longest s", "attempts", "ended as")
SUBMIT = """
from jobs import submission
print(submission.submit("selftest", {"ticks": 12, "tick_ms": 500}, None).id)
"""
LOOK = """
import json
from jobs.models import Job
job = Job.objects.get(id="{job_id}")
starts = job.events.filter(code="job.start").order_by("seq").values_list("ts", flat=True)
print(json.dumps([job.status, job.attempts, [ts.timestamp() for ts in starts]]))
"""


def main() -> None:
    rows = [_measure(database) for database in ("postgres", "sqlite")]
    tables.show("python -m benchmarks recovery", COLUMNS, rows)


def _measure(database: str) -> tuple[object, ...]:
    with Service(database) as service:
        service.start("worker", "--queue=io")  # lives; whether it or the other took it is chance
        trials = [_trial(service) for _ in range(TRIALS)]
    waits = [wait_s for wait_s, _, _ in trials]
    attempts = "/".join(str(count) for _, count, _ in trials)
    return database, statistics.median(waits), max(waits), attempts, trials[0][2]


def _trial(service: Service) -> tuple[float, int, str]:
    """Kill every worker while the job runs, and have another ready."""
    job_id = service.shell(SUBMIT).strip()
    look = LOOK.format(job_id=job_id)
    while json.loads(service.shell(look))[0] != "running":
        time.sleep(0.2)
    for process in list(service.processes):
        os.killpg(process.pid, signal.SIGKILL)
        end(process)
        service.processes.remove(process)
    killed_at = time.time()
    service.start("worker", "--queue=io")
    while (found := json.loads(service.shell(look)))[0] in ("queued", "running"):
        time.sleep(0.5)
    return found[2][-1] - killed_at, found[1], found[0]
