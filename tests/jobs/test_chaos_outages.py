"""PostgreSQL restarts and stays away while jobs run (R11)."""

from __future__ import annotations

import os
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError, connections
from pytest_django import DjangoDbBlocker

from dreamforge_site import databases
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import Service, wait_until
from tests.jobs.test_chaos_brokers import post
from tests.live import LiveSite, Templates
from tests.services.postgres import PostgresServer

pytestmark = [pytest.mark.live, pytest.mark.pure]

ALIAS = "outage"
AWAY_S = float(os.environ.get("DREAMFORGE_TEST_AWAY_S", "13"))  # more than two leases


@pytest.fixture
def service(
    django_db_blocker: DjangoDbBlocker,
    live_templates: Templates,
    postgres_server: PostgresServer,
    tmp_path: Path,
) -> Iterator[Service]:
    """A service on a server of its own, which the test may break."""
    url = live_templates.copy("postgres", tmp_path)["DF_DATABASE_URL"]
    settings = databases.parse(url, pool_size=1)
    del settings["OPTIONS"]["pool"]
    known = connections.settings
    connections.settings = connections.configure_settings({**known, ALIAS: settings})
    started = Service(tmp_path, ALIAS)
    # The pool of connections may need four seconds to find the server again.
    started.variables["DREAMFORGE_TEST_LEASE_S"] = "6"
    with django_db_blocker.unblock():
        yield started
    started.close()
    connections[ALIAS].close()
    del connections[ALIAS]
    connections.settings = known


def reachable(service: Service) -> bool:
    connections[ALIAS].close()
    try:
        return service.jobs.exists()
    except OperationalError:
        return False


def answers(site: LiveSite) -> bool:
    try:
        return post(site)[0] == 202
    except urllib.error.HTTPError:
        return False


def back_after(service: Service, server: PostgresServer, away_s: float) -> None:
    server.interrupt()
    time.sleep(away_s)
    server.start()
    wait_until(lambda: reachable(service), "the database")


@pytest.mark.parametrize("away_s", [0.0, AWAY_S], ids=["restart", "longer than two leases"])
def test_an_outage_of_the_database_costs_no_job_an_attempt(
    service: Service, postgres_server: PostgresServer, away_s: float
) -> None:
    site = service.web()
    for _ in range(2):
        service.worker(concurrency=2)
    jobs = [post(site, items=30, item_ms=100)[1] for _ in range(3)]
    service.wait_until_started(jobs[-1])
    back_after(service, postgres_server, away_s)
    wait_until(lambda: answers(site), "an answer from the API", site.log)
    service.wait_until_over()
    invariants.check(jobs, using=ALIAS)
    ended = service.jobs.filter(id__in=jobs)
    assert set(ended.values_list("status", "attempts", "claim")) == {(State.SUCCEEDED, 1, 1)}
