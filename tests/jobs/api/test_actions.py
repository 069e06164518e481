"""Cancel, requeue, dead letters and queues through the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import claims, dead_letters
from jobs.errors import InvalidState
from jobs.models import Job, Queue
from jobs.states import State
from tests.callers import client_of
from tests.dreamforge_site.api.test_failures import assert_envelope
from tests.jobs import invariants

from .conftest import a_job


def act(api: APIClient, job: Job, action: str, body: Any = None, **headers: str) -> Any:
    return api.post(f"/v1/jobs/{job.pk}/{action}", body, headers=headers)


def test_a_queued_job_is_canceled_at_once(api: APIClient, mira: User) -> None:
    answer = act(api, a_job(mira), "cancel")
    assert answer.status_code == 202
    assert answer.json()["job"]["status"] == "canceled"
    invariants.check()


def test_a_running_job_is_asked_to_stop_as_often_as_one_likes(api: APIClient, mira: User) -> None:
    job = a_job(mira, State.RUNNING)
    answers = [act(api, job, "cancel") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["job"]["status"] == "running"
    job.refresh_from_db()
    assert job.cancel_requested_at is not None


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
def test_an_ended_job_cannot_be_canceled(api: APIClient, mira: User, state: State) -> None:
    job = a_job(mira, state)
    answer = act(api, job, "cancel")
    assert_envelope(answer, 409, "invalid_state")
    assert answer.json()["correlation_id"] == str(job.pk)
    assert Job.objects.get(id=job.pk).status == state


def test_cancel_takes_no_field(api: APIClient, mira: User) -> None:
    job = a_job(mira)
    answer = act(api, job, "cancel", {"force": True})
    assert_envelope(answer, 422, "invalid_input")
    assert Job.objects.get(id=job.pk).status == State.QUEUED


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED, "dead"])
def test_a_requeue_makes_a_new_job_with_the_old_parameters(
    api: APIClient, mira: User, state: str
) -> None:
    old = a_job(mira, state, items=3)
    answer = act(api, old, "requeue")
    assert answer.status_code == 202
    new = Job.objects.get(id=answer.json()["job"]["id"])
    assert answer["Location"] == f"/v1/jobs/{new.pk}"
    assert (new.requeued_from_id, new.params, new.status, new.owner) == (
        old.pk,
        old.params,
        "queued",
        mira,
    )
    assert not Job.objects.dead().exists()
    assert Job.objects.get(id=old.pk).status == old.status


def test_a_requeue_changes_what_is_named_and_keeps_the_rest(api: APIClient, mira: User) -> None:
    old = a_job(mira, State.FAILED, items=3, ticks=9)
    answer = act(api, old, "requeue", {"params": {"items": 1}})
    new = Job.objects.get(id=answer.json()["job"]["id"])
    assert new.params == {"items": 1, "ticks": 9, "tick_ms": 0}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"params": {"items": "1"}}, "params.items"),
        ({"params": {"itms": 1}}, "params.itms"),
        ({"params": {"items": 0}}, "items"),
        ({"params": []}, "params"),
        ({"params": {"text": "of another type"}}, "params.text"),
        ({"parms": {}}, "parms"),
        ({"priority": 3}, "priority"),
    ],
)
def test_a_wrong_edit_is_named_and_the_letter_stays(
    api: APIClient, mira: User, letters: None, body: Any, field: str
) -> None:
    old = a_job(mira, "dead")
    answer = act(api, old, "requeue", body)
    assert_envelope(answer, 422, "invalid_input")
    assert list(answer.json()["details"]["fields"]) == [field]
    assert [job.pk for job in Job.objects.dead()] == [old.pk]
    assert Job.objects.count() == 1


def test_a_form_of_the_browsable_api_requeues(api: APIClient, mira: User) -> None:
    old = a_job(mira, State.FAILED, items=3)
    page = api.get(f"/v1/jobs/{old.pk}/requeue", headers={"Accept": "text/html"})
    assert 'name="params.items"' in page.content.decode()
    answer = api.post(
        f"/v1/jobs/{old.pk}/requeue",
        "params.items=2&params.ticks=",
        content_type="application/x-www-form-urlencoded",
        headers={"Accept": "text/html"},
    )
    assert answer.status_code == 202
    assert Job.objects.get(requeued_from=old).params["items"] == 2


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
def test_only_what_failed_or_was_canceled_is_requeued(
    api: APIClient, mira: User, state: State
) -> None:
    assert_envelope(act(api, a_job(mira, state), "requeue"), 409, "invalid_state")
    assert Job.objects.count() == 1


def test_staff_requeue_a_job_for_its_owner(staff_api: APIClient, mira: User) -> None:
    act(staff_api, a_job(mira, State.FAILED), "requeue")
    assert [job.owner for job in Job.objects.all()] == [mira, mira]


def test_a_requeue_with_a_key_happens_once(api: APIClient, mira: User) -> None:
    old = a_job(mira, State.FAILED)
    key = {"Idempotency-Key": "again"}
    first, second = (act(api, old, "requeue", {}, **key) for _ in range(2))
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 2
    other = act(api, old, "requeue", {"params": {"items": 2}}, **key)
    assert_envelope(other, 409, "idempotency_conflict")
    assert other.json()["correlation_id"] == str(old.pk)


def test_dead_letters_are_requeued_oldest_first_for_their_owners(
    api: APIClient, staff_api: APIClient, mira: User, otto: User
) -> None:
    hers = [a_job(mira, "dead") for _ in range(3)]
    his = a_job(otto, "dead")
    first = api.post("/v1/jobs:requeue-dead", {"limit": 2}).json()
    assert [entry["id"] for entry in first["requeued"]] == [str(job.pk) for job in hers[:2]]
    rest = staff_api.post("/v1/jobs:requeue-dead", {"type": "selftest"}).json()
    assert [entry["id"] for entry in rest["requeued"]] == [str(hers[2].pk), str(his.pk)]
    assert Job.objects.get(requeued_from=his).owner == otto
    nothing = staff_api.post("/v1/jobs:requeue-dead", {})
    assert (nothing.status_code, nothing.json()) == (200, {"requeued": [], "refused": []})


def test_a_letter_that_cannot_run_stays_and_holds_up_no_other(
    api: APIClient, mira: User, settings: Settings
) -> None:
    bad, good = a_job(mira, "dead"), a_job(mira, "dead")
    Job.objects.filter(id=bad.pk).update(type="render")
    told = api.post("/v1/jobs:requeue-dead", {}).json()
    assert [(entry["id"], entry["code"]) for entry in told["refused"]] == [
        (str(bad.pk), "invalid_input")
    ]
    assert [entry["id"] for entry in told["requeued"]] == [str(good.pk)]
    assert [job.pk for job in Job.objects.dead()] == [bad.pk]


def test_of_two_who_saw_a_dead_letter_one_requeues_it(mira: User) -> None:
    letter = a_job(mira, "dead")
    seen_by_another = Job.objects.get(id=letter.pk)
    dead_letters.again(letter)
    with pytest.raises(InvalidState):
        dead_letters.again(seen_by_another)
    assert dead_letters.requeue([seen_by_another]) == dead_letters.Outcome()
    assert Job.objects.filter(requeued_from=letter).count() == 1


def test_dead_letters_are_requeued_once_for_one_key(api: APIClient, mira: User) -> None:
    a_job(mira, "dead")
    key = {"Idempotency-Key": "all of them"}
    first = api.post("/v1/jobs:requeue-dead", {}, headers=key)
    a_job(mira, "dead")
    second = api.post("/v1/jobs:requeue-dead", {}, headers=key)
    assert first.json() == second.json()
    assert Job.objects.dead().count() == 1


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": 201}, {"limit": "5"}, {"all": True}])
def test_a_wrong_bulk_requeue_is_refused(api: APIClient, body: Any) -> None:
    assert_envelope(api.post("/v1/jobs:requeue-dead", body), 422, "invalid_input")


def test_a_paused_queue_gives_out_nothing_until_it_is_resumed(
    staff_api: APIClient, mira: User
) -> None:
    a_job(mira)
    paused = staff_api.post("/v1/queues/io/pause", {"reason": "a new disk"})
    shown = {queue["name"]: queue for queue in staff_api.get("/v1/queues").json()["queues"]}
    assert paused.status_code == 204
    assert (shown["io"]["paused"], shown["io"]["reason"], shown["io"]["depth"]) == (
        True,
        "a new disk",
        1,
    )
    assert shown["gpu"]["paused"] is False
    assert claims.next_lease("io", "a worker", ["selftest"]) is None
    assert staff_api.post("/v1/queues/io/resume").status_code == 204
    assert claims.next_lease("io", "a worker", ["selftest"]) is not None


@pytest.mark.parametrize("name", ["cpu", "io%00", "..", "x" * 300])
def test_there_are_only_the_queues_there_are(staff_api: APIClient, name: str) -> None:
    answer = staff_api.post(f"/v1/queues/{name}/pause", {})
    assert_envelope(answer, 404, "not_found")
    assert not Queue.objects.exists()


@pytest.mark.parametrize("reason", [7, None, "x" * 201, "a\0b"])
def test_a_wrong_reason_is_refused(staff_api: APIClient, reason: Any) -> None:
    answer = staff_api.post("/v1/queues/io/pause", {"reason": reason})
    assert_envelope(answer, 422, "invalid_input")
    assert not Queue.objects.exists()


def test_an_error_about_a_job_that_is_not_there_names_the_request(otto: User) -> None:
    answer = client_of(otto).get(f"/v1/jobs/{uuid.uuid4()}", headers={"X-Request-Id": "client-8"})
    assert_envelope(answer, 404, "not_found")
    assert answer.json()["correlation_id"] == "client-8"
