"""Deliveries by real worker processes: hangs, kill -9, two at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from jobs.models import Job
from jobs.webhooks import endpoints, signing
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import Outcome, WebhookAttempt, WebhookDelivery
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.jobs import invariants
from tests.jobs import service as processes
from tests.jobs.service import Service
from tests.jobs.webhooks.conftest import Receive, submit
from tests.jobs.webhooks.receiver import OPEN, Reply

pytestmark = pytest.mark.live

SECRET_KEY = "of the processes of these tests, the test's own included"
StartWorker = Callable[[], Supervised]


@pytest.fixture
def start_worker(service: Service) -> StartWorker:
    """An io worker that may call loopback and derives the secrets this process derives."""

    def start() -> Supervised:
        return service.worker(DF_WEBHOOK_ALLOW_PRIVATE=OPEN, DF_SECRET_KEY=SECRET_KEY)

    return start


@pytest.fixture
def account(service: Service, settings: Settings) -> User:
    settings.SECRET_KEY = SECRET_KEY
    return User.objects.create_user("ada")


def wait_until_none_is_pending() -> None:
    owed = WebhookDelivery.objects.filter(status=Outcome.PENDING)
    processes.wait_until(lambda: not owed.exists(), "the deliveries")


def test_a_receiver_that_hangs_delays_neither_its_job_nor_the_others(
    account: User, service: Service, start_worker: StartWorker, receive: Receive
) -> None:
    hanging, living = receive(lambda _: None), receive()
    endpoints.create(account, Hook(hanging.url))
    first = submit(account)
    start_worker()
    service.wait_until_over([first.id])
    hanging.wait_for(1)
    others = [submit(account, living.url) for _ in range(5)]
    service.wait_until_over()
    assert len(living.wait_for(5)) == 5
    # All is done while the first call still hangs, and nobody has called that receiver again.
    assert len(hanging.messages) == 1
    invariants.check([first.id, *(job.id for job in others)])


def test_a_worker_killed_between_sending_and_writing_it_down_sends_again_under_the_same_id(
    account: User, service: Service, start_worker: StartWorker, receive: Receive
) -> None:
    receiver = receive(lambda number: None if number == 1 else Reply(200))
    job = submit(account, receiver.url)
    worker = start_worker()
    receiver.wait_for(1)
    processes.kill(worker)
    assert WebhookDelivery.objects.get().status == Outcome.PENDING
    start_worker()
    first, second = receiver.wait_for(2)
    wait_until_none_is_pending()
    assert first.id == second.id
    assert first.body == second.body
    assert second.verified_by(signing.secret_of(endpoints.account_key(account.pk)))
    log = WebhookAttempt.objects.order_by("number").values_list("number", "status_code")
    assert list(log) == [(1, None), (2, 200)]
    invariants.check([job.id])


def test_two_workers_send_each_message_once(
    account: User, service: Service, start_worker: StartWorker, receive: Receive
) -> None:
    receivers = [receive() for _ in range(4)]
    for receiver in receivers:
        endpoints.create(account, Hook(receiver.url))
    jobs = [submit(account) for _ in range(10)]
    start_worker()
    start_worker()
    service.wait_until_over()
    wait_until_none_is_pending()
    time.sleep(1.5)  # a second sending of what was delivered would come by now
    counts = Counter(message.id for receiver in receivers for message in receiver.messages)
    assert (len(counts), set(counts.values())) == (len(jobs) * len(receivers), {1})
    assert WebhookAttempt.objects.count() == len(counts)
    invariants.check(Job.objects.values_list("id", flat=True))
