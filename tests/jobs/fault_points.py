"""`python -m tests.jobs.fault_points worker|web`: a kill -9 before the k-th database statement, for
every k until the work gets through; then what another process makes of the rest.

Everything that touches the database happens in a fork, so that each trial is a process of its own
and costs no start of an interpreter. Prints how many faults there were.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django

LIMIT = 300

Work = Callable[[int], None]


def survives(work: Work, number: int, *, killed_before: int = 0) -> bool:
    """Whether a fork that does `work` lives to its end."""
    child = os.fork()
    if child == 0:
        _die_at(killed_before)
        work(number)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise SystemExit(f"trial {number} ended with status {status}")
    return True


def _die_at(statement: int) -> None:
    from django.db import connection

    left = [statement]

    def count(execute: Callable[..., Any], *call: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*call)

    if statement:
        connection.execute_wrappers.append(count)


def submit(_number: int) -> None:
    from tests.jobs.service import submit

    submit(draws=True)


def work_off(_number: int) -> None:
    """What a fresh worker does: sweep, then take what waits."""
    from jobs import leases
    from jobs.worker import WorkerProcess
    from tests.jobs.service import make_due

    leases.sweep(leases.Watch())
    make_due()
    WorkerProcess("io", ["0"])._drain("0")


def post(number: int) -> None:
    """A client's request; sent again, it has the same key."""
    from django.test import Client

    answer = Client(headers={"host": "localhost", "idempotency-key": f"key {number}"}).post(
        "/v1/jobs", {"type": "trial", "items": 1}, content_type="application/json"
    )
    assert answer.status_code == 202, answer.content


def work_off_and_submit(number: int) -> None:
    work_off(number)
    submit(number)


def worker_faults() -> int:
    survives(submit, 0)
    for number in range(1, LIMIT):
        through = survives(work_off, number, killed_before=number)
        survives(work_off if through else work_off_and_submit, number)
        if through:
            return number - 1
    raise SystemExit("the work never got through")


def web_faults() -> int:
    for number in range(1, LIMIT):
        through = survives(post, number, killed_before=number)
        survives(post, number)
        survives(work_off, number)
        if through:
            return number - 1
    raise SystemExit("the request never got through")


def load() -> None:
    """Whatever the forks need, imported once; the database stays untouched."""
    for module in ("django.test", "jobs.worker", "jobs.api.views", "tests.jobs.service"):
        import_module(module)
    import_module("jobs.kinds").table()


if __name__ == "__main__":
    django.setup()
    load()
    sys.stdout.write(f"{ {'worker': worker_faults, 'web': web_faults}[sys.argv[1]]() }\n")
