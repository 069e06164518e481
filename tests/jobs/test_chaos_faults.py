"""A kill -9 at every point of a request and of an attempt (R9, R10)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dreamforge_site.environment import BASE_DIR
from jobs.models import Artifact, Job
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import Service
from tests.live import child_environment

pytestmark = pytest.mark.live


def faults(service: Service, who: str) -> int:
    """How many different points the process was killed at."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.jobs.fault_points", who],
        cwd=BASE_DIR,
        env=child_environment(service.data_dir, service.variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return int(run.stdout.splitlines()[-1])


def test_a_worker_killed_before_any_statement_costs_no_job_and_no_artifact(
    service: Service,
) -> None:
    count = faults(service, "worker")
    assert count > 20
    invariants.check()
    assert Job.objects.filter(status=State.SUCCEEDED).count() == count + 1
    assert Job.objects.filter(attempts=2).exists()
    assert Artifact.objects.count() == count + 1


def test_a_web_server_killed_before_any_statement_leaves_no_half_job(service: Service) -> None:
    """The client asks again with the same key: there is then one job, and it runs."""
    count = faults(service, "web")
    assert count >= 3
    invariants.check()
    assert Job.objects.filter(status=State.SUCCEEDED, attempts=1).count() == count + 1
    assert Job.objects.count() == count + 1
