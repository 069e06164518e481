"""Lists, one job, its progress, its log and its stream, as Django answers them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import events, logbook
from jobs.events import Note
from jobs.models import Event, Job
from jobs.states import State
from tests.dreamforge_site.api.test_failures import assert_envelope

from .conftest import a_job


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [job["id"] for job in answer.json()["jobs"]]


def test_a_list_is_newest_first_and_walked_by_its_links(api: APIClient, mira: User) -> None:
    made = [str(a_job(mira).pk) for _ in range(5)]
    seen: list[str] = []
    path = "/v1/jobs?limit=2"
    for _ in range(3):
        page = api.get(path)
        seen += ids(page)
        path = page.get("Link", "<>").partition(">")[0].removeprefix("<")
    assert seen == made[::-1]
    assert path == ""
    assert page.json()["next_cursor"] is None


def test_a_page_shows_no_job_twice_while_others_are_made(api: APIClient, mira: User) -> None:
    made = [str(a_job(mira).pk) for _ in range(4)]
    first = api.get("/v1/jobs?limit=2")
    a_job(mira)
    second = api.get("/v1/jobs", {"limit": 2, "cursor": first.json()["next_cursor"]})
    assert ids(first) + ids(second) == made[::-1]


def test_every_filter_narrows_the_list(api: APIClient, mira: User) -> None:
    queued, dead = a_job(mira), a_job(mira, "dead")
    old = a_job(mira, State.SUCCEEDED)
    Job.objects.filter(id=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    yesterday = (timezone.now() - timedelta(days=1)).isoformat()
    found = {
        "status": ids(api.get("/v1/jobs", {"status": "queued"})),
        "dead": ids(api.get("/v1/jobs", {"dead": "true"})),
        "after": ids(api.get("/v1/jobs", {"created_after": yesterday})),
        "before": ids(api.get("/v1/jobs", {"created_before": yesterday})),
        "type": ids(api.get("/v1/jobs", {"type": "render"})),
        "model": ids(api.get("/v1/jobs", {"model_id": str(old.pk)})),
        "not dead": ids(api.get("/v1/jobs", {"dead": "false"})),
    }
    assert found == {
        "status": [str(queued.pk)],
        "dead": [str(dead.pk)],
        "after": [str(dead.pk), str(queued.pk)],
        "before": [str(old.pk)],
        "type": [],
        "model": [],
        "not dead": [str(dead.pk), str(queued.pk), str(old.pk)],
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("model_id=1", "model_id"),
        ("created_after=yesterday", "created_after"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("dead=perhaps", "dead"),
        ("owner=mira", "owner"),
        ("status=queued&status=running", "status"),
        ("type=" + "x" * 65, "type"),
        ("type=%00", "type"),
    ],
)
def test_a_wrong_filter_is_named(api: APIClient, query: str, field: str) -> None:
    answer = api.get(f"/v1/jobs?{query}")
    assert_envelope(answer, 422, "invalid_input")
    assert set(answer.json()["details"]["fields"]) == {field}


def test_a_cursor_of_somebody_elses_making_is_refused(api: APIClient) -> None:
    assert_envelope(api.get("/v1/jobs?cursor=x"), 400, "malformed_request")


def test_a_list_costs_the_same_however_many_jobs_there_are(
    api: APIClient, mira: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        a_job(mira)
    with django_assert_max_num_queries(4) as made:
        assert len(ids(api.get("/v1/jobs?limit=30"))) == 30
    listing = [query["sql"] for query in made.captured_queries if "jobs_job" in query["sql"]]
    assert len(listing) == 1
    assert "error_detail" not in listing[0]


def test_a_job_tells_what_the_contract_promises(api: APIClient, mira: User) -> None:
    told = api.get(f"/v1/jobs/{a_job(mira, State.FAILED, items=2).pk}").json()
    promised = "id type status created_at updated_at started_at finished_at attempts progress"
    promised += " params model steps summary error_code error_message"
    assert set(promised.split()) <= set(told)
    assert (told["status"], told["error_code"], told["attempts"]) == ("failed", "oom", 1)
    assert told["summary"] == {"count": 2, "completed": 0}
    assert [set(step) for step in told["steps"]] == [
        {"name", "status", "started_at", "finished_at"}
    ]
    assert told["finished_at"].endswith("Z")
    assert "error_detail" not in told


def test_a_waiting_job_tells_its_place(api: APIClient, mira: User) -> None:
    a_job(mira)
    told = api.get(f"/v1/jobs/{a_job(mira).pk}").json()
    assert told["place"]["position"] == 2


def test_progress_is_told_before_during_and_after(api: APIClient, mira: User) -> None:
    job = a_job(mira)
    before = api.get(f"/v1/jobs/{job.pk}/progress").json()
    Job.objects.filter(id=job.pk).update(
        progress=0.5,
        progress_state={
            "items": [{"item_index": 0, "progress": 0.5}],
            "stages": [{"name": "run", "weight": 1.0, "progress": 0.5}],
        },
    )
    during = api.get(f"/v1/jobs/{job.pk}/progress").json()
    assert before == {"progress": 0.0, "status": "queued", "items": [], "stages": []}
    assert (during["progress"], during["items"][0]["progress"]) == (0.5, 0.5)


def log_of(api: APIClient, job: Job, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/v1/jobs/{job.pk}/logs", query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer["Cache-Control"] == "no-store"
    return [json.loads(line) for line in answer.getvalue().splitlines()]


def test_a_log_is_lines_of_json_in_order(api: APIClient, mira: User) -> None:
    job = a_job(mira, State.SUCCEEDED)
    lines = log_of(api, job)
    assert [line["code"] for line in lines] == ["job.queued", "job.start", "job.finish"]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert all({"ts", "level", "code", "message", "job_id"} <= set(line) for line in lines)


def test_a_log_is_cut_at_its_end_and_at_a_time(api: APIClient, mira: User) -> None:
    job = a_job(mira, State.SUCCEEDED)
    start = Event.objects.get(job=job, code="job.queued").ts.isoformat()
    assert [line["seq"] for line in log_of(api, job, tail=2)] == [2, 3]
    assert [line["seq"] for line in log_of(api, job, tail=10_000)] == [1, 2, 3]
    assert [line["seq"] for line in log_of(api, job, since_ts=start)] == [2, 3]
    assert [line["seq"] for line in log_of(api, job, since_ts=start, tail=1)] == [3]
    assert log_of(api, job, since_ts="2100-01-01T00:00:00Z") == []


def test_the_tail_of_a_log_that_upkeep_has_thinned_counts_lines(api: APIClient, mira: User) -> None:
    job = a_job(mira)
    events.append(job.pk, [Note("progress")] * 4 + [Note("note")])
    Event.objects.filter(job=job, code="progress").delete()
    assert [line["seq"] for line in log_of(api, job, tail=2)] == [1, 6]


@pytest.mark.parametrize("query", ["tail=0", "tail=10001", "tail=x", "since_ts=x", "follow=1"])
def test_a_wrong_log_query_is_refused(api: APIClient, mira: User, query: str) -> None:
    answer = api.get(f"/v1/jobs/{a_job(mira).pk}/logs?{query}")
    assert_envelope(answer, 422, "invalid_input")


def test_a_long_log_is_sent_page_by_page(
    api: APIClient, mira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "PAGE", 10)
    job = a_job(mira)
    events.append(job.pk, [Note("note", f"line {number}") for number in range(34)])
    answer = api.get(f"/v1/jobs/{job.pk}/logs")
    assert answer.streaming
    assert "Content-Length" not in answer
    events.append(job.pk, [Note("note", "written after the request")])
    lines = [json.loads(line) for line in answer.getvalue().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, 36))


def test_markup_and_newlines_in_a_message_stay_one_line(api: APIClient, mira: User) -> None:
    job = a_job(mira)
    hostile = "<script>alert(1)</script>\n\r\x1b[31m\u2028{{7*7}}"
    events.append(job.pk, [Note("note", hostile)])
    raw = api.get(f"/v1/jobs/{job.pk}/logs").getvalue()
    assert raw.count(b"\n") == 2
    assert log_of(api, job)[1]["message"] == hostile


def resume(api: APIClient, job: Job, last_event_id: str = "", query: str = "") -> Any:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    return api.get(f"/v1/jobs/{job.pk}/progress/stream{query}", headers=headers)


def test_a_stream_is_handed_over_with_its_headers(api: APIClient, mira: User) -> None:
    job = a_job(mira)
    answer = resume(api, job, query="?since_id=1")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/event-stream"
    assert (answer["Cache-Control"], answer["X-Accel-Buffering"]) == ("no-store", "no")
    ticket = json.loads(answer["X-Forge-Handoff"].partition(" ")[2])
    assert ticket == {"job_id": str(job.pk), "after": 1}


def test_the_header_wins_over_the_parameter(api: APIClient, mira: User) -> None:
    answer = resume(api, a_job(mira, State.SUCCEEDED), "2", "?since_id=1")
    assert json.loads(answer["X-Forge-Handoff"].partition(" ")[2])["after"] == 2


def test_who_saw_the_end_of_a_job_is_told_not_to_come_back(api: APIClient, mira: User) -> None:
    job = a_job(mira, State.SUCCEEDED)
    assert resume(api, job, str(job.last_seq + 1)).status_code == 204
    assert resume(api, job, str(job.last_seq)).status_code == 200
    assert "X-Forge-Handoff" not in resume(api, job, str(job.last_seq + 1))
    assert resume(api, job, str(job.last_seq + 2)).status_code == 200


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "٣", "99999999999", "2147483648"])
def test_what_cannot_be_an_event_id_is_refused(api: APIClient, mira: User, bad: str) -> None:
    job = a_job(mira)
    answer = resume(api, job, bad.encode().decode("latin-1"))
    assert_envelope(answer, 422, "invalid_input")
    assert "Last-Event-ID" in answer.json()["details"]["fields"]
    assert answer.json()["correlation_id"] == str(job.pk)


def test_accept_does_not_matter_to_a_stream(api: APIClient, mira: User) -> None:
    path = f"/v1/jobs/{a_job(mira).pk}/progress/stream"
    answers = [
        api.get(path, headers={"Accept": accept})
        for accept in ("text/event-stream", "application/json", "text/html", "image/png")
    ]
    assert [answer["Content-Type"] for answer in answers] == ["text/event-stream"] * 4
