"""Webhooks and deliveries as operators see them."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dreamforge_site.accounts.models import User
from jobs.webhooks import endpoints, signing
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import (
    Condition,
    Outcome,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from tests.jobs.webhooks.conftest import finish, submit

URL = "https://hooks.example.org/forge"
ENDPOINTS = "/admin/jobs/webhookendpoint/"
DELIVERIES = "/admin/jobs/webhookdelivery/"
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def endpoint(owner: User) -> WebhookEndpoint:
    return endpoints.create(owner, Hook(URL))


@pytest.fixture
def delivery(owner: User, endpoint: WebhookEndpoint) -> WebhookDelivery:
    finish(submit(owner))
    found = WebhookDelivery.objects.get()
    WebhookAttempt.objects.create(
        delivery=found, number=1, status_code=500, error="It broke.", response=MARKUP
    )
    return found


@pytest.fixture
def browser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    user = User.objects.create_user("viewer", is_staff=True)
    user.groups.add(Group.objects.get_or_create(name="viewers")[0])
    client = Client()
    client.force_login(user)
    return client


def act(browser: Client, page: str, action: str, row: object) -> str:
    form = {"action": action, "_selected_action": [str(row)]}
    return browser.post(page, form, follow=True).content.decode()


def test_lists_and_searches_answer(browser: Client, delivery: WebhookDelivery) -> None:
    pages = [ENDPOINTS, f"{ENDPOINTS}?q=hooks", DELIVERIES, f"{DELIVERIES}?q=hooks&status=pending"]
    answers = [browser.get(page) for page in pages]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [URL in answer.content.decode() for answer in answers] == [True] * 4


def test_a_delivery_shows_its_attempts_and_hostile_text_is_inert(
    browser: Client, delivery: WebhookDelivery
) -> None:
    page = browser.get(f"{DELIVERIES}{delivery.id}/change/").content.decode()
    assert "It broke." in page
    assert MARKUP not in page
    assert "&lt;script&gt;" in page


def test_no_page_shows_a_secret(browser: Client, endpoint: WebhookEndpoint) -> None:
    page = browser.get(f"{ENDPOINTS}{endpoint.id}/change/")
    assert page.status_code == 200
    assert signing.secret_of(endpoint) not in page.content.decode()
    assert endpoint.salt not in page.content.decode()


def test_a_delivery_is_sent_again_and_that_is_on_record(
    browser: Client, delivery: WebhookDelivery
) -> None:
    WebhookDelivery.objects.update(status=Outcome.FAILED, finished_at=timezone.now(), tries=12)
    act(browser, DELIVERIES, "resend", delivery.id)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == (Outcome.PENDING, 0)
    assert LogEntry.objects.filter(object_id=str(delivery.id)).count() == 1


def test_what_cannot_be_sent_again_is_told(browser: Client, delivery: WebhookDelivery) -> None:
    assert delivery.endpoint is not None
    endpoints.disable(delivery.endpoint, "Gone.")
    assert "resume it first" in act(browser, DELIVERIES, "resend", delivery.id)
    assert not LogEntry.objects.exists()


def test_an_operator_disables_resumes_and_tests(browser: Client, endpoint: WebhookEndpoint) -> None:
    seen = []
    for action in ("disable", "resume", "test"):
        act(browser, ENDPOINTS, action, endpoint.id)
        endpoint.refresh_from_db()
        seen.append(endpoint.condition)
    assert seen == [Condition.DISABLED, Condition.ACTIVE, Condition.ACTIVE]
    assert WebhookDelivery.objects.get().event == "webhook.test"


def test_a_viewer_sees_and_can_press_nothing(viewer: Client, delivery: WebhookDelivery) -> None:
    page = viewer.get(DELIVERIES)
    assert (page.status_code, 'value="resend"' in page.content.decode()) == (200, False)
    act(viewer, ENDPOINTS, "disable", delivery.endpoint_id)
    assert WebhookEndpoint.objects.get().condition == Condition.ACTIVE


def test_nobody_adds_or_edits_a_row(browser: Client, delivery: WebhookDelivery) -> None:
    row = f"{DELIVERIES}{delivery.id}/change/"
    answers = [browser.get(f"{DELIVERIES}add/"), browser.get(f"{ENDPOINTS}add/")]
    answers.append(browser.post(row, {"status": "delivered"}))
    assert [answer.status_code for answer in answers] == [403] * 3


def test_a_user_with_webhooks_can_be_deleted(browser: Client, delivery: WebhookDelivery) -> None:
    browser.post(f"/admin/accounts/user/{delivery.owner_id}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=delivery.owner_id).exists()
    assert not WebhookDelivery.objects.exists()


def test_a_longer_list_costs_no_more_queries(
    browser: Client, delivery: WebhookDelivery, owner: User
) -> None:
    browser.get(DELIVERIES)
    with CaptureQueriesContext(connection) as few:
        browser.get(DELIVERIES)
    for _ in range(5):
        finish(submit(owner))
    with CaptureQueriesContext(connection) as many:
        browser.get(DELIVERIES)
    assert len(many) == len(few)
