"""One who asks too much is told to wait and hurts nobody; many who write at once lose nothing, not
even when they are killed. Real processes, on the database of this run."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from jobs.models import Event, Job, Step
from tests.dreamforge_site.supervisor.supervised import Supervised, wait_until
from tests.jobs.service import Service
from tests.live import LiveSite

LIMIT = 40
POSTS = 120
WRITERS = 3
ROUNDS = 3
WRITTEN_BEFORE_THE_KILL = 15
# Says the id of each job once it is stored; now and then one starts and ends.
WRITE = """
from jobs import claims, lifecycle, submission
while True:
    print("stored", submission.submit("selftest", {}, None).id, flush=True)
    lease = claims.next_lease("io", "writer", ["selftest"])
    if lease and lifecycle.succeed(lease):
        print("ended", lease.job_id, flush=True)
"""

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.live]


def key_of(name: str) -> str:
    owner = User.objects.create_user(username=name, password="a password of the tests")
    return keys.make(owner, "test", ["read", "jobs"]).revealed


def post(site: LiveSite, key: str) -> tuple[int, Message, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{site.base_url}/v1/jobs", b'{"type": "selftest"}', headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def test_who_posts_too_much_is_told_to_wait_and_others_are_served(service: Service) -> None:
    greedy, modest = key_of("greedy"), key_of("modest")
    site = service.web(DF_AUTH="on", DF_JOB_MAX_QUEUED=str(LIMIT), DF_WEB_PROCESSES="2")
    with ThreadPoolExecutor(8) as crowd:
        asked = list(crowd.map(lambda _number: post(site, greedy), range(POSTS)))
        other = [post(site, modest)[0] for _ in range(5)]
    statuses = [status for status, _, _ in asked]
    refused = [(headers, body) for status, headers, body in asked if status == 429]
    assert set(statuses) == {202, 429}
    # Two processes may each pass the limit by what they had counted in the same moment.
    assert LIMIT <= statuses.count(202) <= LIMIT + 8
    assert all(int(headers["Retry-After"]) > 0 for headers, _ in refused)
    assert {body["code"] for _, body in refused} == {"rate_limited"}
    assert other == [202] * 5


def test_killed_writers_tear_nothing_and_lose_nothing_they_acknowledged(service: Service) -> None:
    stored: set[str] = set()
    ended: set[str] = set()
    for _ in range(ROUNDS):
        shell = ("shell", "--no-imports", "--command", WRITE)
        writers = [service.command(*shell) for _ in range(WRITERS)]
        for writer in writers:
            writer.wait_for("ended", after=WRITTEN_BEFORE_THE_KILL)
        kill(writers)
        for writer in writers:
            stored |= {line.split()[1] for line in writer.lines if line.startswith("stored ")}
            ended |= {line.split()[1] for line in writer.lines if line.startswith("ended ")}
    assert len(stored) >= ROUNDS * WRITERS
    assert stored <= {str(job_id) for job_id in Job.objects.values_list("id", flat=True)}
    done = Job.objects.filter(status="succeeded").values_list("id", flat=True)
    assert ended <= {str(job_id) for job_id in done}
    assert_nothing_is_torn()


def test_many_writers_at_once_are_never_told_that_the_database_is_locked(service: Service) -> None:
    shell = ("shell", "--no-imports", "--command", WRITE)
    writers = [service.command(*shell) for _ in range(4)]
    for writer in writers:
        writer.wait_for("ended")
    time.sleep(3)
    assert [writer.process.poll() for writer in writers] == [None] * 4
    kill(writers)
    assert "locked" not in "".join(writer.text for writer in writers)
    assert_nothing_is_torn()


def kill(writers: list[Supervised]) -> None:
    for writer in writers:
        os.killpg(writer.process.pid, signal.SIGKILL)
    for writer in writers:
        writer.exit_status()
    wait_until(lambda: not any(w._reader.is_alive() for w in writers), "their last lines")


def assert_nothing_is_torn() -> None:
    """Every job has its steps and events 1..n, and nothing is left of one that was not stored."""
    whole = Job.objects.annotate(said=Count("events", distinct=True))
    assert not whole.exclude(said=F("last_seq")).exists()
    assert Step.objects.count() == Job.objects.count()
    assert not Event.objects.exclude(job__in=Job.objects.values("id")).exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA integrity_check")
            assert cursor.fetchone() == ("ok",)
