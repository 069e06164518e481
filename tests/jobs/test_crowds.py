"""One who asks too much is told to wait and hurts nobody; many who write at once lose nothing, not
even when they are killed. Real processes, on the database of this run."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
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
from dreamforge_site.environment import BASE_DIR
from jobs.models import Event, Job, Step
from tests.jobs import invariants
from tests.jobs.crowd import CLAIMERS, STORED_BY_EACH
from tests.jobs.service import Service
from tests.live import LiveSite, child_environment

LIMIT = 40
POSTS = 120
# `make soak` takes 5,000 (R17), which costs two minutes and shows the same.
CLAIMED_JOBS = int(os.environ.get("DREAMFORGE_TEST_CLAIMED_JOBS", "600"))

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


def crowd(service: Service, what: str) -> dict[str, set[str]]:
    """The ids of the jobs that the crowd was told were stored or ended."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.jobs.crowd", what],
        cwd=BASE_DIR,
        env=child_environment(service.data_dir, service.variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-6000:]
    told = [line.split() for line in run.stdout.splitlines()]
    return {word: {job_id for said, job_id in told if said == word} for word in ("stored", "ended")}


def test_eighty_killed_writers_tear_nothing_and_lose_nothing_they_acknowledged(
    service: Service,
) -> None:
    told = crowd(service, "kill")
    assert len(told["stored"]) >= 80
    assert told["stored"] <= {str(job_id) for job_id in Job.objects.values_list("id", flat=True)}
    done = Job.objects.filter(status="succeeded").values_list("id", flat=True)
    assert told["ended"] <= {str(job_id) for job_id in done}
    assert_nothing_is_torn()


def test_many_writers_at_once_are_never_told_that_the_database_is_locked(service: Service) -> None:
    told = crowd(service, "write")
    assert len(told["stored"]) == 4 * STORED_BY_EACH
    invariants.check(told["stored"], ended=False)
    assert_nothing_is_torn()


def test_eight_claimers_take_each_job_of_two_queues_once(service: Service) -> None:
    """Nobody is left out, and neither queue waits for the other's workers."""
    queues = {f"claimer-{number}": queue for number, queue in enumerate(CLAIMERS)}
    kinds = {"io": "trial", "gpu": "gpu_trial"}
    rows = [
        Job(type=kinds[queue], queue=queue, share=str(at % 4), priority=50 if queue == "gpu" else 0)
        for at, queue in zip(range(CLAIMED_JOBS), itertools.cycle(CLAIMERS), strict=False)
    ]
    Job.objects.bulk_create(rows, batch_size=1000)
    told = crowd(service, "claim")
    assert told["ended"] == {str(job.id) for job in rows}
    invariants.check(told["ended"])
    starts = Event.objects.filter(code="job.start").values_list("payload__worker", "job__queue")
    assert len(starts) == CLAIMED_JOBS
    assert dict(starts) == queues


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
