"""From what is owed to the receiver: sent, put off, given up, sent again."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from jobs.errors import InvalidState
from jobs.models import Job
from jobs.webhooks import deliveries, endpoints, payload, schedule, sender, signing
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import (
    Condition,
    Outcome,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from tests.jobs.webhooks.conftest import Receive, claim_next, finish, make_due, send_next, submit
from tests.jobs.webhooks.receiver import Reply

URL = "https://hooks.example.org/"
pytestmark = pytest.mark.django_db(transaction=True)  # attempts give their connection back


def test_the_message_is_signed_and_shows_the_job_as_the_api_does(
    owner: User, receive: Receive
) -> None:
    receiver = receive()
    job = submit(owner, receiver.url)
    finish(job)
    assert send_next().status == Outcome.DELIVERED
    [message] = receiver.messages
    assert message.verified_by(signing.secret_of(endpoints.account_key(owner.pk)))
    said = json.loads(message.body)
    assert (said["type"], said["data"]["id"]) == ("job.succeeded", str(job.id))
    assert said["data"]["status"] == "succeeded"
    assert said["timestamp"].endswith("Z")
    assert message.headers["content-type"] == "application/json"


def test_down_five_times_then_up_is_delivered_once_with_one_id(
    owner: User, receive: Receive
) -> None:
    receiver = receive(lambda number: Reply(500 if number <= 5 else 200))
    endpoint = endpoints.create(owner, Hook(receiver.url))
    finish(submit(owner))
    seen = []
    for _ in range(6):
        make_due()
        seen.append(send_next().status)
    assert seen == [Outcome.PENDING] * 5 + [Outcome.DELIVERED]
    make_due()
    assert claim_next() is None
    assert len({message.id for message in receiver.messages}) == 1
    assert len({message.body for message in receiver.messages}) == 1
    secret = signing.secret_of(endpoint)
    assert [message.verified_by(secret) for message in receiver.messages] == [True] * 6
    log = WebhookAttempt.objects.order_by("number")
    assert [attempt.status_code for attempt in log] == [500] * 5 + [200]


def test_after_a_days_tries_a_message_is_given_up_and_a_person_sends_it_again(
    owner: User, receive: Receive
) -> None:
    receiver = receive(lambda number: Reply(500 if number <= schedule.MAX_TRIES else 200))
    finish(submit(owner, receiver.url))
    for _ in range(schedule.MAX_TRIES):
        make_due()
        delivery = send_next()
    assert (delivery.status, delivery.attempts) == (Outcome.FAILED, schedule.MAX_TRIES)
    assert delivery.last_error == "The receiver answered 500."
    deliveries.resend(delivery)
    assert send_next().status == Outcome.DELIVERED
    assert len({message.id for message in receiver.messages}) == 1
    assert len(receiver.messages) == schedule.MAX_TRIES + 1


def test_a_receiver_that_asks_for_time_gets_it(owner: User, receive: Receive) -> None:
    receiver = receive(lambda _: Reply(429, {"Retry-After": "600"}))
    finish(submit(owner, receiver.url))
    before = timezone.now()
    assert send_next().next_at >= before + timedelta(seconds=600)


def test_a_redirect_is_a_failure_that_says_so(owner: User, receive: Receive) -> None:
    beyond = receive()
    receiver = receive(lambda _: Reply(307, {"Location": beyond.url}))
    finish(submit(owner, receiver.url))
    delivery = send_next()
    assert (delivery.status, beyond.connections) == (Outcome.PENDING, 0)
    assert "redirects are not followed" in delivery.last_error


def test_gone_disables_the_endpoint_and_gives_up_what_it_was_owed(
    owner: User, receive: Receive
) -> None:
    receiver = receive(lambda _: Reply(410))
    endpoint = endpoints.create(owner, Hook(receiver.url))
    finish(submit(owner))
    finish(submit(owner))
    assert send_next().status == Outcome.FAILED
    endpoint.refresh_from_db()
    assert (endpoint.condition, "410" in endpoint.reason) == (Condition.DISABLED, True)
    assert not WebhookDelivery.objects.filter(status=Outcome.PENDING).exists()
    finish(submit(owner))
    assert WebhookDelivery.objects.count() == 2
    with pytest.raises(InvalidState):
        deliveries.resend(WebhookDelivery.objects.select_related("endpoint")[0])
    with pytest.raises(InvalidState):
        endpoints.test(endpoint, by=None)


def test_an_endpoint_that_fails_for_a_day_is_paused_and_a_test_that_arrives_resumes_it(
    owner: User, receive: Receive
) -> None:
    receiver = receive(lambda number: Reply(500 if number <= 2 else 200))
    endpoint = endpoints.create(owner, Hook(receiver.url))
    finish(submit(owner))
    send_next()
    WebhookEndpoint.objects.update(failing_since=timezone.now() - endpoints.PAUSE_AFTER)
    make_due()
    send_next()
    endpoint.refresh_from_db()
    assert endpoint.condition == Condition.PAUSED
    finish(submit(owner))
    make_due()
    assert claim_next() is None
    endpoints.test(endpoint, by=None)
    with pytest.raises(InvalidState):
        endpoints.test(endpoint, by=None)
    assert send_next().event == "webhook.test"
    endpoint.refresh_from_db()
    assert (endpoint.condition, endpoint.failing_since) == (Condition.ACTIVE, None)
    assert [send_next().status, send_next().status] == [Outcome.DELIVERED] * 2


def test_resuming_sends_what_has_waited_without_further_delay(
    owner: User, receive: Receive
) -> None:
    receiver = receive(lambda number: Reply(500 if number == 1 else 200))
    endpoint = endpoints.create(owner, Hook(receiver.url))
    finish(submit(owner))
    send_next()
    WebhookDelivery.objects.update(next_at=timezone.now() + timedelta(hours=8))
    WebhookEndpoint.objects.update(condition=Condition.PAUSED)
    assert endpoints.resume(endpoint)
    assert not endpoints.resume(endpoint)
    assert send_next().status == Outcome.DELIVERED


def test_a_private_address_is_not_called_once_the_operator_forbids_it(
    owner: User, receive: Receive, settings: Settings
) -> None:
    receiver = receive()
    finish(submit(owner, receiver.url))
    settings.WEBHOOK_ALLOWED_NETWORKS = ()
    delivery = send_next()
    assert (delivery.status, receiver.connections) == (Outcome.PENDING, 0)
    assert "public address" in delivery.last_error


def test_what_the_receiver_says_is_kept_short_and_without_secrets(
    owner: User, receive: Receive
) -> None:
    secret = signing.secret_of(endpoints.account_key(owner.pk))
    said = f"echo {secret} v1,{'A' * 43}= Bearer abcdef123456 \0 \x1b[31m ".encode() + b"z" * 9000
    receiver = receive(lambda _: Reply(200, {}, said))
    finish(submit(owner, receiver.url))
    send_next()
    kept = WebhookAttempt.objects.get().response
    assert kept.startswith("echo *** *** *** � �[31m zzz")
    assert len(kept) == sender.KEPT_CHARS


def test_two_claims_of_one_attempt_give_one(owner: User) -> None:
    finish(submit(owner, URL))
    [seen] = deliveries.due(())
    assert deliveries.claim(seen, "first") is not None
    assert deliveries.claim(seen, "second") is None
    assert deliveries.due(()) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookAttempt.objects.create(delivery_id=seen.id, number=1)


def test_a_worker_that_comes_back_too_late_overrules_nobody(owner: User) -> None:
    """Its lease was over, another attempt is under way; what it has to say goes into the log."""
    finish(submit(owner, URL))
    late = claim_next()
    make_due_again()
    current = claim_next()
    assert late is not None
    assert current is not None
    deliveries.settle(late, deliveries.Result(error="No answer."))
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.holder) == (Outcome.PENDING, current.holder)
    deliveries.settle(current, deliveries.Result(status_code=200))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (Outcome.DELIVERED, 2)
    log = WebhookAttempt.objects.order_by("number")
    assert [attempt.error for attempt in log] == ["No answer.", ""]


def test_gone_ends_the_delivery_of_a_jobs_own_webhook(owner: User, receive: Receive) -> None:
    finish(submit(owner, receive(lambda _: Reply(410)).url))
    delivery = send_next()
    assert (delivery.status, delivery.attempts) == (Outcome.FAILED, 1)


def make_due_again() -> None:
    WebhookDelivery.objects.update(next_at=timezone.now())


def test_an_attempt_under_way_is_not_sent_again_by_hand(owner: User) -> None:
    finish(submit(owner, URL))
    claimed = claim_next()
    assert claimed is not None
    with pytest.raises(InvalidState):
        deliveries.resend(claimed)


def test_one_target_is_talked_to_once_at_a_time_and_holds_up_no_other(owner: User) -> None:
    for _ in range(3):
        finish(submit(owner, "https://one.example.org/"))
    finish(submit(owner, "https://two.example.org/"))
    waiting = {delivery.target for delivery in deliveries.due(())}
    assert waiting == {"https://one.example.org:443", "https://two.example.org:443"}
    busy = ["https://one.example.org:443"]
    assert [d.target for d in deliveries.due(busy)] == ["https://two.example.org:443"]


def test_a_message_too_large_is_sent_without_its_bulk(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "MOST_BYTES", 600)
    job = submit(owner, URL)
    Job.objects.filter(id=job.id).update(params={"prompt": "x" * 1000})
    finish(job)
    claimed = claim_next()
    assert claimed is not None
    said = json.loads(payload.render(claimed))["data"]
    assert (said["truncated"], "params" in said, said["id"]) == (True, False, str(job.id))


def test_a_fault_of_ours_is_an_attempt_that_failed(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(submit(owner, URL))
    monkeypatch.setattr(WebhookDelivery, "message_id", None)
    delivery = send_next()
    assert (delivery.status, "our side" in delivery.last_error) == (Outcome.PENDING, True)
