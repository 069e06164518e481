"""Owners, jobs that end, and receivers on loopback, which these tests allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from dreamforge_site.environment import read
from jobs import lifecycle, submission
from jobs.models import Job
from jobs.webhooks import deliveries, sender
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import WebhookDelivery
from tests.jobs.webhooks.receiver import OPEN, Receiver, Script

Receive = Callable[..., Receiver]


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = read({"DF_WEBHOOK_ALLOW_PRIVATE": OPEN}).webhook_networks
    settings.AUTH_REQUIRED = True


@pytest.fixture
def receive() -> Iterator[Receive]:
    opened: list[Receiver] = []

    def open_one(script: Script | None = None) -> Receiver:
        opened.append(Receiver(script) if script else Receiver())
        return opened[-1]

    yield open_one
    for receiver in opened:
        receiver.close()


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def caller(owner: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


def submit(owner: User | None, url: str = "", events: tuple[str, ...] = ()) -> Job:
    hook = (Hook(url, events) if events else Hook(url)) if url else None
    return submission.submit("selftest", {}, owner, webhook=hook)


def finish(job: Job) -> None:
    lease = lifecycle.start(job.id, "worker of the test")
    assert lease is not None
    assert lifecycle.succeed(lease)


def claim_next() -> WebhookDelivery | None:
    """The one due delivery, claimed as a worker does it."""
    waiting = deliveries.due(())
    return deliveries.claim(waiting[0], "holder of the test") if waiting else None


def send_next() -> WebhookDelivery:
    delivery = claim_next()
    assert delivery is not None
    sender.send(delivery)
    delivery.refresh_from_db()
    return delivery


def make_due() -> None:
    """Let nothing wait for its delay."""
    WebhookDelivery.objects.filter(holder="").update(next_at=timezone.now())
