"""POST /v1/jobs: what is accepted, what is refused and how."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from dreamforge_site.api.renderers import ContractJSONRenderer
from jobs import kinds
from jobs.api.answers import accepted
from jobs.api.serializers import CreatedSerializer
from jobs.models import Event, Job
from tests.callers import client_of
from tests.dreamforge_site.api.test_failures import assert_envelope

from .conftest import a_job


def problems(answer: Any) -> dict[str, list[str]]:
    assert_envelope(answer, 422, "invalid_input")
    fields: dict[str, list[str]] = answer.json()["details"]["fields"]
    return fields


def test_a_new_job_is_queued_and_found_where_the_answer_says(api: APIClient, mira: User) -> None:
    answer = api.post("/v1/jobs", {"type": "selftest", "items": 2})
    assert answer.status_code == 202
    told = answer.json()["job"]
    assert set(told) == {"id", "status", "type", "created_at"}
    job = Job.objects.get(id=told["id"])
    assert (job.owner, job.status, told["status"], told["type"]) == (
        mira,
        "queued",
        "queued",
        "selftest",
    )
    assert answer["Location"] == f"/v1/jobs/{job.pk}"
    assert job.params == {"items": 2, "ticks": 4, "tick_ms": 0}
    assert api.get(answer["Location"]).json()["params"] == job.params


def test_the_answer_is_what_its_serializer_says(mira: User) -> None:
    job = a_job(mira)
    assert accepted(job).answer == json.loads(
        ContractJSONRenderer().render(CreatedSerializer({"job": job}).data)
    )
    assert accepted(job).location == reverse("job", args=[job.pk])


def test_the_request_id_goes_with_the_job(api: APIClient) -> None:
    answer = api.post("/v1/jobs", {"type": "selftest"}, headers={"X-Request-Id": "client-7"})
    assert Job.objects.get(id=answer.json()["job"]["id"]).request_id == "client-7"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["type"]),
        ({"type": ""}, ["type"]),
        ({"type": None}, ["type"]),
        ({"type": 7}, ["type"]),
        ({"type": "render"}, ["type"]),
        ({"type": "selftest", "itms": 1}, ["itms"]),
        ({"type": "selftest", "items": "2"}, ["items"]),
        ({"type": "selftest", "items": 2.0}, ["items"]),
        ({"type": "selftest", "items": True}, ["items"]),
        ({"type": "selftest", "items": None}, ["items"]),
        ({"type": "selftest", "items": [1]}, ["items"]),
        ({"type": "selftest", "items": 0, "ticks": 1001}, ["items", "ticks"]),
        ({"type": "selftest", "items": 10**30}, ["items"]),
        ({"type": "selftest", "priority": 101}, ["priority"]),
        ({"type": "selftest", "priority": "1"}, ["priority"]),
        ({"type": "selftest", "priority": 1}, ["priority"]),
        ({"type": "selftest", "status": "succeeded"}, ["status"]),
        ({"type": "selftest", "owner": "x", "id": "y"}, ["id", "owner"]),
        ({"type": "selftest", "text": "of another type"}, ["text"]),
        ({"type": "letter", "text": "hello", "items": 1}, ["items"]),
        ({"type": "letter"}, ["text"]),
        ({"type": "letter", "text": "a\0b"}, ["text"]),
        ({"type": "letter", "text": "  "}, ["text"]),
        ({"type": "letter", "text": "x" * 4097}, ["text"]),
        ({"type": "letter", "text": "x", "seed": 2**53}, ["seed"]),
        ({"type": "letter", "text": "x", "seed": 2**63}, ["seed"]),
        ({"type": "letter", "text": "x", "format": "gif"}, ["format"]),
        ({"type": "letter", "text": "x", "loud": "yes"}, ["loud"]),
        ({"type": "letter", "text": ["x"]}, ["text"]),
        ({"type": "letter", "text": {"$ne": 1}}, ["text"]),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    api: APIClient, letters: None, body: dict[str, Any], fields: list[str]
) -> None:
    assert sorted(problems(api.post("/v1/jobs", body))) == fields
    assert not Job.objects.exists()


TORTURE = {
    "nothing": b"",
    "an array": b"[]",
    "null": b"null",
    "a lone surrogate": b'{"type":"letter","text":"\\ud800"}',
    "a NUL": b'{"type":"letter","text":"\\u0000"}',
    "a NUL in a name": b'{"type":"letter","te\\u0000xt":"x"}',
    "deep arrays": b"[" * 100_000,
    "closed deep arrays": b"[" * 100_000 + b"]" * 100_000,
    "a deep value": b'{"type":"letter","text":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "NaN": b'{"type":"letter","text":"x","ratio":NaN}',
    "infinity": b'{"type":"letter","text":"x","ratio":1e400}',
    "5,000 digits": b'{"type":"letter","text":"x","seed":' + b"9" * 5000 + b"}",
    "invalid UTF-8": b'{"type":"letter","text":"\xff\xfe"}',
    "UTF-16": '{"type":"letter"}'.encode("utf-16"),
    "a duplicate key": b'{"type":"letter","type":"selftest"}',
    "a long text": json.dumps({"type": "letter", "text": "x" * 900_000}).encode(),
    "too much": json.dumps({"type": "letter", "text": "x" * 3_000_000}).encode(),
}


@pytest.mark.parametrize("body", TORTURE.values(), ids=TORTURE.keys())
def test_torture_gets_an_envelope_and_leaves_nothing(
    api: APIClient, letters: None, body: bytes
) -> None:
    answer = api.post("/v1/jobs", body, content_type="application/json")
    assert answer.status_code in (400, 413, 422)
    assert_envelope(answer, answer.status_code, answer.json()["code"])
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "a plain prompt",
        "🦊 狐 ünïcödé \u202e right to left",
        "-->\r\n\x1b[31m' OR 1=1-- {{7*7}} <script>alert(1)</script>",
        "a\u2028\u2029\ufeff\uffff" + chr(0x10FFFF),
        "x" * 4096,
    ],
    ids=["plain", "unicode", "hostile", "separators", "longest"],
)
def test_accepted_text_comes_back_as_it_was_sent(api: APIClient, letters: None, text: str) -> None:
    body = {"type": "letter", "text": text, "seed": 2**53 - 1, "ratio": 0.1}
    made = api.post("/v1/jobs", body)
    assert made.status_code == 202
    params = api.get(made["Location"]).json()["params"]
    assert params == {"text": text, "seed": 2**53 - 1, "ratio": 0.1, "loud": True, "format": "png"}


def test_staff_may_go_first_and_others_only_step_back(api: APIClient, staff_api: APIClient) -> None:
    first = staff_api.post("/v1/jobs", {"type": "selftest", "priority": 100})
    back = api.post("/v1/jobs", {"type": "selftest", "priority": -100})
    assert (first.status_code, back.status_code) == (202, 202)
    assert problems(api.post("/v1/jobs", {"type": "selftest", "priority": 1})).keys() == {
        "priority"
    }


def test_a_type_for_staff_is_forbidden_to_others(
    api: APIClient, staff_api: APIClient, letters: None
) -> None:
    body = {"type": "staff_letter", "text": "x"}
    assert_envelope(api.post("/v1/jobs", body), 403, "forbidden")
    assert staff_api.post("/v1/jobs", body).status_code == 202


def test_a_full_queue_of_ones_own_is_429_and_leaves_others_alone(
    api: APIClient, otto: User, settings: Settings
) -> None:
    settings.JOB_MAX_QUEUED_PER_USER = 1
    assert api.post("/v1/jobs", {"type": "selftest"}).status_code == 202
    refused = api.post("/v1/jobs", {"type": "selftest"})
    assert_envelope(refused, 429, "rate_limited")
    assert int(refused["Retry-After"]) > 0
    assert client_of(otto).post("/v1/jobs", {"type": "selftest"}).status_code == 202


def test_a_field_name_means_one_thing_in_every_type(letters: None) -> None:
    """The types' fields share one level of the body, where a name is checked before its type."""
    from django.utils.module_loading import import_string

    meanings: dict[str, set[type]] = {}
    for kind in kinds.table().values():
        for name, field in import_string(kind.serializer)().fields.items():
            meanings.setdefault(name, set()).add(type(field))
    assert len(meanings) > 5
    assert [name for name, types in meanings.items() if len(types) > 1] == []


@pytest.mark.parametrize("query", ["wait=-1", "wait=601", "wait=nan", "wait=x", "wait=1&wait=2"])
def test_a_wrong_wait_is_refused_before_anything_is_stored(api: APIClient, query: str) -> None:
    assert set(problems(api.post(f"/v1/jobs?{query}", {"type": "selftest"}))) == {"wait"}
    assert not Job.objects.exists()


def test_without_the_front_a_wait_answers_at_once(api: APIClient, mira: User) -> None:
    made = api.post("/v1/jobs?wait=30", {"type": "selftest"})
    assert (made.status_code, set(made.json())) == (202, {"job"})
    seen = api.get(f"{made['Location']}?wait=30")
    assert (seen.status_code, seen.json()["status"]) == (200, "queued")


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=5", "wait=5"),
        ("respond-async, WAIT = 5", "wait=5"),
        ("wait=99999", "wait=600"),
        ("wait=0", None),
        ("await=5", None),
        ("wait=-5", None),
        ("wait=5s", None),
    ],
)
def test_a_preference_is_applied_or_ignored(
    api: APIClient, prefer: str, applied: str | None
) -> None:
    answer = api.post("/v1/jobs", {"type": "selftest"}, headers={"Prefer": prefer})
    assert answer.status_code == 202
    assert answer.get("Preference-Applied") == applied
    assert ("X-Forge-Handoff" in answer) is (applied is not None)


def test_a_browser_gets_a_form_that_creates_a_job(api: APIClient, letters: None) -> None:
    page = api.get("/v1/jobs", headers={"Accept": "text/html"})
    assert page.status_code == 200
    text = page.content.decode()
    assert 'name="type"' in text
    assert 'name="items"' in text
    form = {"type": "selftest", "items": "3", "ticks": "", "text": "", "seed": "", "format": ""}
    made = api.post(
        "/v1/jobs",
        "&".join(f"{name}={value}" for name, value in form.items()),
        content_type="application/x-www-form-urlencoded",
        headers={"Accept": "text/html"},
    )
    assert made.status_code == 202
    assert Job.objects.get().params == {"items": 3, "ticks": 4, "tick_ms": 0}


def test_a_wrong_form_is_shown_again_with_its_problem(api: APIClient) -> None:
    answer = api.post(
        "/v1/jobs?wait=5",
        "type=selftest&items=many",
        content_type="application/x-www-form-urlencoded",
        headers={"Accept": "text/html"},
    )
    assert answer.status_code == 422
    assert "A valid integer is required." in answer.content.decode()
    assert not Job.objects.exists()


def test_a_page_for_a_browser_is_never_held_back(api: APIClient, mira: User) -> None:
    job = a_job(mira)
    answer = api.get(f"/v1/jobs/{job.pk}?wait=30", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "X-Forge-Handoff" not in answer


def test_head_and_options_work(api: APIClient, mira: User) -> None:
    job = a_job(mira)
    paths = ["/v1/jobs", f"/v1/jobs/{job.pk}?wait=5", f"/v1/jobs/{job.pk}/logs"]
    heads = [api.head(path) for path in paths]
    assert [(head.status_code, head.content) for head in heads] == [(200, b"")] * 3
    assert ["X-Forge-Handoff" in head for head in heads] == [False] * 3
    assert api.options(f"/v1/jobs/{job.pk}/requeue").status_code == 200


def test_creating_costs_a_fixed_number_of_queries(
    api: APIClient, django_assert_max_num_queries: Any
) -> None:
    api.post("/v1/jobs", {"type": "selftest"})
    with django_assert_max_num_queries(22):
        api.post("/v1/jobs", {"type": "selftest"}, headers={"Idempotency-Key": "k"})
    assert Event.objects.count() == 2
