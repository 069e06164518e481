"""Dream Forge's real processes over the test's own database: the test reads and writes through the
ORM what they do, and kills, stops and continues them.

`service` (in conftest) stops all of them before the database is emptied. `Deployment` makes the
same for a database of its own, where a test breaks the database server itself.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connections
from django.db.models import QuerySet

from dreamforge_site.environment import BASE_DIR
from jobs import submission
from jobs.models import Job
from jobs.states import TERMINAL, State
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.live import LiveSite, child_environment
from tests.services.process import free_port

SETTINGS = "tests.jobs.live_settings"
WITHIN_S = 60
POLL_S = 0.05


class Service:
    """Processes over one data directory and one database; `variables` are for all of them."""

    def __init__(self, data_dir: Path, using: str = "default", **variables: str) -> None:
        self.data_dir = data_dir
        self.using = using
        self.variables = {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DF_DATABASE_URL": database_url(using),
            **variables,
        }
        self.processes: list[Supervised] = []
        self.sites: list[LiveSite] = []

    # Processes

    def worker(
        self, queue: str = "io", concurrency: int | None = None, **variables: str
    ) -> Supervised:
        """A worker that has begun to look for work."""
        slots = ["--concurrency", str(concurrency)] if concurrency else []
        started = self.command("worker", "--queue", queue, *slots, **variables)
        started.wait_for("worker_started")
        return started

    def whole(self, **variables: str) -> Supervised:
        """`manage.py dreamforge`: every process, under their supervisor."""
        return self.command("dreamforge", DF_PORT=str(free_port()), **variables)

    def command(self, *arguments: str, **variables: str) -> Supervised:
        environment = child_environment(self.data_dir, {**self.variables, **variables})
        command = [sys.executable, "manage.py", *arguments]
        self.processes.append(Supervised(command, environment, BASE_DIR))
        return self.processes[-1]

    def web(self, **variables: str) -> LiveSite:
        site = LiveSite(self.data_dir, {**self.variables, **variables})
        self.sites.append(site)
        return site.start()

    def close(self) -> None:
        for process in self.processes:
            process.destroy()
        for site in self.sites:
            site.kill()

    # Jobs

    @property
    def jobs(self) -> QuerySet[Job]:
        return Job.objects.using(self.using)

    def job(self, job_id: uuid.UUID) -> Job:
        return self.jobs.get(id=job_id)

    def wait_until_started(self, job_id: uuid.UUID, attempt: int = 1) -> Job:
        wait_until(
            lambda: self.jobs.filter(
                id=job_id, attempts__gte=attempt, status=State.RUNNING
            ).exists(),
            f"attempt {attempt} of the job",
            self.log,
        )
        return self.job(job_id)

    def wait_until_said(self, job_id: uuid.UUID, code: str, times: int = 1) -> None:
        """Until the job's history holds `code` so many times."""
        said = self.jobs.filter(id=job_id, events__code=code)
        wait_until(lambda: said.count() >= times, f"{times} times {code}", self.log)

    def wait_until_over(self, job_ids: Iterable[uuid.UUID] | None = None) -> None:
        """Until these jobs, or all there are, have ended."""
        open_jobs = self.jobs.exclude(status__in=TERMINAL)
        if job_ids is not None:
            open_jobs = open_jobs.filter(id__in=list(job_ids))
        wait_until(lambda: not open_jobs.exists(), "the end of the jobs", self.log)

    def log(self) -> str:
        rows = self.jobs.values_list("id", "type", "status", "attempts", "error_code")[:30]
        said = [process.text[-6000:] for process in self.processes]
        return "\n".join([*map(str, rows), *said])


def submit(kind: str = "trial", priority: int = 0, **params: Any) -> uuid.UUID:
    """A job of the service itself, as a command of the operator makes it."""
    return submission.submit(kind, params, None, priority=priority).id


def make_due() -> None:
    """Let no retry wait for its delay."""
    from django.utils import timezone

    Job.objects.filter(status=State.QUEUED).update(available_at=timezone.now())


def wait_until(
    true: Callable[[], bool], what: str, context: Callable[[], str] = lambda: ""
) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}:\n{context()}")
        time.sleep(POLL_S)


def kill(process: Supervised) -> None:
    """SIGKILL to the process and to all that it started."""
    for pid in process.remaining():
        send(pid, signal.SIGKILL)
    process.exit_status()


def pause(process: Supervised) -> None:
    """Stop it, but not in the middle of a write: SQLite's one lock would be stopped with it."""
    _halt(process)
    while not _writable():
        process.signal(signal.SIGCONT)
        time.sleep(POLL_S)
        _halt(process)


def _halt(process: Supervised) -> None:
    """And wait until every thread stands still: on a busy machine one could begin a write yet."""
    process.signal(signal.SIGSTOP)
    tasks = Path("/proc", str(process.process.pid), "task")
    while not all(_stands_still(task / "stat") for task in tasks.iterdir()):
        time.sleep(POLL_S)


def _stands_still(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in ("T", "Z", "X")
    except OSError:
        return True  # the thread ended


def _writable() -> bool:
    settings = connections["default"].settings_dict
    if not settings["ENGINE"].endswith("sqlite3"):
        return True
    probe = sqlite3.connect(settings["NAME"], timeout=POLL_S, isolation_level=None)
    try:
        probe.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    finally:
        probe.close()
    return True


def resume(process: Supervised) -> None:
    process.signal(signal.SIGCONT)


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def database_url(using: str = "default") -> str:
    """DF_DATABASE_URL of the database that this alias is connected to."""
    settings = connections[using].settings_dict
    if settings["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{settings['NAME']}"
    user, password = quote(settings["USER"]), quote(settings["PASSWORD"])
    return (
        f"postgresql://{user}:{password}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    )
