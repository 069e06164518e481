"""The parts of the jobs' pages that renew themselves: what they hold, for whom, at what cost."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries as MaxQueries

from dreamforge_site.accounts.models import User
from jobs import events, lifecycle
from jobs.admin import facts, rows, words
from jobs.admin.live import HEADER
from jobs.errors import Failure
from jobs.events import Note
from jobs.models import Artifact, Job, Step, Worker
from jobs.states import State
from jobs.templatetags import forge
from tests.callers import staff
from tests.jobs.api.conftest import a_job
from tests.jobs.test_admin import JOBS, operator, text, viewer

__all__ = ["operator", "viewer"]
LIVE = {HEADER: "1"}


def page_of(job: Job) -> str:
    return f"{JOBS}{job.pk}/change/"


def asked(browser: Client, *jobs: Job, newest: str = "") -> Any:
    ids = ",".join(str(job.pk) for job in jobs)
    answer = browser.get(f"{JOBS}rows/", {"ids": ids, "newest": newest})
    assert answer.status_code == 200
    return answer.json()


def test_rows_tell_how_their_jobs_stand(operator: Client, mira: User) -> None:
    queued, failed = a_job(mira), a_job(mira, State.FAILED)
    told = asked(operator, queued, failed)["jobs"]
    assert set(told) == {str(queued.pk), str(failed.pk)}
    cells = told[str(failed.pk)]
    assert "failed" in cells["state"]
    assert (cells["done"], cells["tries"], cells["error_code"]) == ("0%", "1/3", "oom")
    assert told[str(queued.pk)]["error_code"] == "-"


def test_rows_cost_the_same_however_many_they_are(
    operator: Client, mira: User, django_assert_max_num_queries: MaxQueries
) -> None:
    jobs = [a_job(mira) for _ in range(12)]
    with django_assert_max_num_queries(7) as made:
        assert len(asked(operator, *jobs, newest=str(jobs[0].pk))["jobs"]) == 12
    assert [q["sql"] for q in made.captured_queries if "progress_state" in q["sql"]] == []


def test_jobs_that_came_later_are_counted(operator: Client, mira: User) -> None:
    first = a_job(mira)
    a_job(mira), a_job(mira)
    assert asked(operator, newest=str(first.pk))["newer"] == 2
    assert asked(operator, newest=str(uuid.uuid4()))["newer"] == 0


@pytest.mark.parametrize("ids", ["", "x", "'; --", "\0", ",,,"])
def test_what_is_no_id_is_passed_over(operator: Client, ids: str) -> None:
    assert operator.get(f"{JOBS}rows/", {"ids": ids, "newest": ids}).json() == {
        "jobs": {},
        "newer": 0,
    }


def test_no_more_rows_are_read_than_a_page_holds(
    operator: Client, mira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 2)
    assert len(asked(operator, *[a_job(mira) for _ in range(3)])["jobs"]) == 2


def test_rows_are_for_those_who_may_see_jobs(mira: User) -> None:
    assert staff("newcomer").get(f"{JOBS}rows/").status_code == 403


def test_live_parts_are_the_pages_own(operator: Client, mira: User) -> None:
    job = a_job(mira, State.RUNNING)
    body = text(operator.get(page_of(job), headers=LIVE))
    assert "<html" not in body
    names = [piece.split('"')[0] for piece in body.split('data-live="')[1:]]
    assert names == ["head", "images", "moves", "ending"]
    whole = text(operator.get(page_of(job)))
    assert [name for name in names if f'data-live="{name}"' not in whole] == []


def test_live_parts_are_for_those_who_may_see_the_page(mira: User) -> None:
    job = a_job(mira)
    assert staff("newcomer").get(page_of(job), headers=LIVE).status_code == 403


def test_a_viewers_live_parts_have_no_button_and_no_traceback(viewer: Client, mira: User) -> None:
    job = a_job(mira, "dead")
    Job.objects.filter(pk=job.pk).update(error_detail="Traceback: secret")
    body = text(viewer.get(page_of(job), headers=LIVE))
    assert "Traceback" not in body
    assert "<form" not in body
    assert "dead letter" in body


def test_the_timeline_tells_each_state_and_how_long_it_lasted(operator: Client, mira: User) -> None:
    job = a_job(mira)
    lease = lifecycle.start(job.pk, "worker-one")
    assert lease is not None
    lifecycle.retry_later(lease, Failure("worker_lost", "Gone."), 0)
    again = lifecycle.start(job.pk, "worker-two")
    assert again is not None
    lifecycle.succeed(again, {"count": 1})
    found = facts.moves(Job.objects.get())
    assert [move.title for move in found] == [
        "Queued",
        "Running",
        "Queued again",
        "Running",
        "Succeeded",
    ]
    assert [move.state for move in found][-2:] == ["running", "succeeded"]
    assert found[3].note == "worker-two"
    assert found[0].after_s is None
    assert all(move.after_s is not None and move.after_s >= 0 for move in found[1:])


def test_images_have_links_that_stay_the_same_for_a_while(operator: Client, mira: User) -> None:
    job = a_job(mira, State.SUCCEEDED)
    step = Step.objects.get(job=job)
    for index in range(3):
        Artifact.objects.create(
            job=job,
            step=step,
            item_index=index,
            s3_key=f"k{index}",
            format="png",
            content_type="image/png",
            width=8,
            height=8,
            seed=index,
            sha256="ab" * 32,
            size_bytes=1,
        )
    first = operator.get(page_of(job)).context["images"]
    second = operator.get(page_of(job), headers=LIVE).context["images"]
    assert [image.url for image in first] == [image.url for image in second]
    assert [image.artifact.item_index for image in first] == [2, 1, 0]
    assert "signature=" in first[0].url


def test_a_jobs_page_costs_the_same_however_long_its_history(operator: Client, mira: User) -> None:
    def cost(job: Job) -> int:
        with CaptureQueriesContext(connection) as made:
            text(operator.get(page_of(job)))
        return len(made.captured_queries)

    short, long = a_job(mira, State.FAILED), a_job(mira, State.FAILED)
    events.append(long.pk, [Note("note", "x") for _ in range(2000)])
    operator.get(page_of(short))
    assert cost(long) == cost(short)


def test_queues_tell_who_is_busy_on_which_device(operator: Client, mira: User) -> None:
    Worker.objects.create(id="gpu@host/1", queue="gpu", slots=2, devices=["0", "1"])
    job = a_job(mira)
    Job.objects.filter(pk=job.pk).update(queue="gpu")
    assert lifecycle.start(job.pk, "gpu@host/1") is not None
    body = text(operator.get("/admin/jobs/queue/", headers=LIVE))
    assert "1 of 2" in body
    assert "Device 1" in body
    assert "<html" not in body


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.25, "250 ms"),
        (9.96, "10.0 s"),
        (125, "2 min 5 s"),
        (7260, "2 h 1 min"),
    ],
)
def test_stretches_of_time_are_told_as_people_say_them(seconds: float | None, told: str) -> None:
    assert forge.lasted(seconds) == told


def test_a_stretch_needs_both_its_ends() -> None:
    now = timezone.now()
    assert forge.took(now, None) == "-"
    assert forge.took(now, now + timedelta(seconds=3)) == "3.0 s"


def test_a_job_is_named_by_what_it_is_about() -> None:
    told = [
        words.subject(Job(params=params))
        for params in (
            {"prompt": "a  fox\nin snow", "model_id": "m"},
            {"ref": "hf:a/b"},
            {"steps": 3},
            {"prompt": "w" * 10_000},
        )
    ]
    assert told[:3] == ["a fox in snow", "hf:a/b", ""]
    assert (len(told[3]), told[3][-1]) == (words.LONGEST, "…")
