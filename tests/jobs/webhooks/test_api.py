"""Webhooks over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from jobs.models import IdempotencyKey, Job
from jobs.webhooks import endpoints, signing
from jobs.webhooks.hooks import EVENTS, Hook
from jobs.webhooks.models import JobWebhook, Outcome, WebhookDelivery, WebhookEndpoint
from tests.jobs.webhooks.conftest import finish, submit

URL = "https://hooks.example.org/forge"


@pytest.fixture
def endpoint(owner: User) -> WebhookEndpoint:
    return endpoints.create(owner, Hook(URL))


@pytest.fixture
def delivery(owner: User, endpoint: WebhookEndpoint) -> WebhookDelivery:
    finish(submit(owner))
    return WebhookDelivery.objects.get()


@pytest.fixture
def stranger(db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("grace", is_staff=True))
    return client


def test_a_webhook_is_made_with_its_secret_and_then_listed_without(caller: APIClient) -> None:
    made = caller.post("/v1/webhooks", {"url": URL, "events": ["job.failed"]})
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    body = made.json()
    assert (body["url"], body["events"], body["condition"]) == (URL, ["job.failed"], "active")
    Webhook(body["secret"])
    assert caller.get(made["Location"]).json()["id"] == body["id"]
    listed = caller.get("/v1/webhooks")
    assert [row["id"] for row in listed.json()["webhooks"]] == [body["id"]]
    assert body["secret"] not in listed.content.decode()


def test_a_webhook_without_events_wants_all(caller: APIClient) -> None:
    assert caller.post("/v1/webhooks", {"url": URL}).json()["events"] == list(EVENTS)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "https://example.org/" + "x" * 2000}, "url"),
        ({"url": 5}, "url"),
        ({"url": URL, "events": "job.failed"}, "events"),
        ({"url": URL, "events": ["job.started"]}, "events.0"),
        ({"url": URL, "secret": "mine"}, "secret"),
    ],
)
def test_a_wrong_body_makes_no_webhook(caller: APIClient, body: Any, field: str) -> None:
    answer = caller.post("/v1/webhooks", body)
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == [field]
    assert not WebhookEndpoint.objects.exists()


def test_the_same_request_twice_makes_one_webhook_and_the_kept_answer_has_no_secret(
    caller: APIClient,
) -> None:
    headers = {"Idempotency-Key": "make the hook"}
    first = caller.post("/v1/webhooks", {"url": URL}, headers=headers)
    second = caller.post("/v1/webhooks", {"url": URL}, headers=headers)
    assert (second.status_code, second["Idempotent-Replayed"]) == (201, "true")
    assert second.json() == first.json()
    assert WebhookEndpoint.objects.count() == 1
    assert "whsec_" not in str(IdempotencyKey.objects.get().answer)
    other = caller.post("/v1/webhooks", {"url": URL + "2"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_a_replay_after_the_webhook_was_deleted_says_so(caller: APIClient) -> None:
    headers = {"Idempotency-Key": "make the hook"}
    made = caller.post("/v1/webhooks", {"url": URL}, headers=headers)
    assert caller.delete(made["Location"]).status_code == 204
    assert caller.post("/v1/webhooks", {"url": URL}, headers=headers).status_code == 404


def test_an_account_has_a_bounded_number_of_webhooks(
    caller: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MOST_PER_ACCOUNT", 1)
    assert caller.post("/v1/webhooks", {"url": URL}).status_code == 201
    answer = caller.post("/v1/webhooks", {"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_rotation_shows_another_secret_and_until_when_the_old_one_signs(
    caller: APIClient, endpoint: WebhookEndpoint
) -> None:
    path = f"/v1/webhooks/{endpoint.id}/secret"
    shown = caller.post(path)
    assert (shown.status_code, shown["Cache-Control"]) == (200, "no-store")
    assert shown.json() == {"secret": signing.secret_of(endpoint), "previous_until": None}
    rotated = caller.post(path, {"rotate": True}).json()
    assert rotated["secret"] != shown.json()["secret"]
    assert rotated["previous_until"].endswith("Z")
    assert caller.post(path).json() == rotated


def test_the_accounts_own_secret_is_the_one_jobs_webhooks_are_signed_with(
    caller: APIClient, owner: User
) -> None:
    shown = caller.post("/v1/webhooks/secret").json()
    assert shown["secret"] == signing.secret_of(endpoints.account_key(owner.pk))
    assert caller.post("/v1/webhooks/secret", {"rotate": True}).json()["secret"] != shown["secret"]


def test_a_key_that_may_only_read_learns_no_secret(owner: User, endpoint: WebhookEndpoint) -> None:
    reader = keys.make(owner, "reader", ["read"])
    client = APIClient(headers={"Authorization": f"Bearer {reader.revealed}"})
    assert client.get(f"/v1/webhooks/{endpoint.id}").status_code == 200
    assert client.post(f"/v1/webhooks/{endpoint.id}/secret").status_code == 403
    assert client.get(f"/v1/webhooks/{endpoint.id}/secret").status_code == 405


def test_a_test_is_owed_at_once(caller: APIClient, endpoint: WebhookEndpoint) -> None:
    answer = caller.post(f"/v1/webhooks/{endpoint.id}/test")
    assert (answer.status_code, answer.json()["event"]) == (202, "webhook.test")
    assert caller.get(answer["Location"]).json()["status"] == "pending"
    again = caller.post(f"/v1/webhooks/{endpoint.id}/test")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_state")


def test_a_disabled_webhook_is_resumed(caller: APIClient, endpoint: WebhookEndpoint) -> None:
    endpoints.disable(endpoint, "The receiver answered 410 Gone.")
    assert caller.get(f"/v1/webhooks/{endpoint.id}").json()["condition"] == "disabled"
    resumed = caller.post(f"/v1/webhooks/{endpoint.id}/resume").json()
    assert (resumed["condition"], resumed["reason"]) == ("active", "")


def test_the_log_of_deliveries_is_filtered_and_shows_attempts(
    caller: APIClient, delivery: WebhookDelivery, owner: User
) -> None:
    finish(submit(owner))
    assert len(caller.get("/v1/webhooks/deliveries").json()["deliveries"]) == 2
    path = f"/v1/webhooks/deliveries?job_id={delivery.job_id}&webhook_id={delivery.endpoint_id}"
    [row] = caller.get(path + "&status=pending").json()["deliveries"]
    assert (row["id"], row["message_id"]) == (str(delivery.id), delivery.message_id)
    assert caller.get(path + "&status=failed").json()["deliveries"] == []
    assert caller.get(path + "&state=failed").status_code == 422
    shown = caller.get(f"/v1/webhooks/deliveries/{delivery.id}").json()
    assert (shown["log"], shown["event"]) == ([], "job.succeeded")


def test_a_list_of_deliveries_costs_one_query(
    caller: APIClient, endpoint: WebhookEndpoint, owner: User
) -> None:
    for _ in range(5):
        finish(submit(owner))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(caller.get("/v1/webhooks/deliveries").json()["deliveries"]) == 5
    assert len(queries) == 1


def test_a_delivered_message_is_sent_again(caller: APIClient, delivery: WebhookDelivery) -> None:
    WebhookDelivery.objects.update(status=Outcome.DELIVERED, finished_at=delivery.created_at)
    answer = caller.post(f"/v1/webhooks/deliveries/{delivery.id}/resend")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.json()["message_id"] == delivery.message_id


def test_other_peoples_webhooks_are_not_there_not_even_for_staff(
    stranger: APIClient, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> None:
    one, other = f"/v1/webhooks/{endpoint.id}", f"/v1/webhooks/deliveries/{delivery.id}"
    answers = [
        stranger.get(one),
        stranger.delete(one),
        stranger.post(f"{one}/secret"),
        stranger.post(f"{one}/resume"),
        stranger.post(f"{one}/test"),
        stranger.get(other),
        stranger.post(f"{other}/resend"),
        stranger.get(f"/v1/webhooks/{uuid.uuid4()}"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 8
    assert stranger.get("/v1/webhooks").json()["webhooks"] == []
    assert stranger.get("/v1/webhooks/deliveries").json()["deliveries"] == []


def test_a_job_is_created_with_a_webhook_of_its_own(caller: APIClient) -> None:
    named = {"url": URL, "events": ["job.failed"]}
    answer = caller.post("/v1/jobs", {"type": "selftest", "webhook": named})
    assert answer.status_code == 202
    kept = JobWebhook.objects.get(job_id=answer.json()["job"]["id"])
    assert (kept.url, kept.events) == (URL, ["job.failed"])


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"url": "http://169.254.169.254/"}, "webhook.url"),
        ({"url": "not a url"}, "webhook.url"),
        ({}, "webhook.url"),
        ({"url": URL, "secret": "x"}, "webhook.secret"),
        ({"url": URL, "events": ["job.queued"]}, "webhook.events.0"),
        (URL, "webhook"),
        (None, "webhook"),
    ],
)
def test_a_job_with_a_wrong_webhook_is_not_created(
    caller: APIClient, named: Any, field: str
) -> None:
    answer = caller.post("/v1/jobs", {"type": "selftest", "webhook": named})
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == [field]
    assert not Job.objects.exists()


def test_a_private_address_is_refused_where_the_operator_allows_none(
    caller: APIClient, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ()
    body = {"type": "selftest", "webhook": {"url": "http://127.0.0.1:8000/admin/"}}
    assert caller.post("/v1/jobs", body).status_code == 422
    assert not Job.objects.exists()


def test_the_browsable_form_makes_a_job_with_and_without_a_webhook(caller: APIClient) -> None:
    page = caller.get("/v1/jobs", headers={"Accept": "text/html"})
    assert 'name="webhook.url"' in page.content.decode()
    form = "application/x-www-form-urlencoded"
    without = caller.generic("POST", "/v1/jobs", "type=selftest&webhook.url=", form)
    named = f"type=selftest&webhook.url={URL}&webhook.events=job.failed&webhook.events=job.canceled"
    assert without.status_code == 202
    assert caller.generic("POST", "/v1/jobs", named, form).status_code == 202
    kept = JobWebhook.objects.get()
    assert (kept.url, kept.events) == (URL, ["job.canceled", "job.failed"])


def test_every_page_of_the_browsable_api_is_drawn(
    caller: APIClient, delivery: WebhookDelivery
) -> None:
    paths = ["", f"/{delivery.endpoint_id}", "/deliveries", f"/deliveries/{delivery.id}"]
    pages = [caller.get(f"/v1/webhooks{path}", headers={"Accept": "text/html"}) for path in paths]
    assert [page.status_code for page in pages] == [200] * 4
    assert 'name="events"' in pages[0].content.decode()
