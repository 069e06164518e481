"""What a job's end owes to whom: exactly once, whatever else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from jobs import execution, lifecycle, submission, upkeep
from jobs.errors import Failure
from jobs.models import Job
from jobs.webhooks import deliveries, endpoints, outbox
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import JobWebhook, Outcome, WebhookDelivery
from tests.jobs import invariants
from tests.jobs.webhooks.conftest import finish, send_next, submit

URL = "https://hooks.example.org/"
pytestmark = pytest.mark.django_db(transaction=True)  # attempts give their connection back


def fail(job: Job) -> None:
    lease = lifecycle.start(job.id, "w")
    assert lease is not None
    lifecycle.fail(lease, Failure("oom", "Not enough memory."))


def cancel_running(job: Job) -> None:
    lease = lifecycle.start(job.id, "w")
    assert lease is not None
    lifecycle.cancel_running(lease)


def lose(job: Job) -> None:
    """Its worker vanishes in the last attempt."""
    Job.objects.filter(id=job.id).update(max_attempts=1)
    lease = lifecycle.start(job.id, "w")
    assert lease is not None
    execution.abandon(Job.objects.get(id=job.id), lease)


EXPLAIN = {"sqlite": "QUERY PLAN ", "postgresql": ""}


ENDS: list[tuple[Callable[[Job], object], str]] = [
    (finish, "job.succeeded"),
    (fail, "job.failed"),
    (lose, "job.failed"),
    (cancel_running, "job.canceled"),
    (submission.cancel, "job.canceled"),
]


@pytest.mark.parametrize(("end", "event"), ENDS)
def test_every_way_a_job_ends_is_owed_once(
    end: Callable[[Job], object], event: str, owner: User
) -> None:
    job = submit(owner, URL)
    assert not WebhookDelivery.objects.exists()
    end(job)
    owed = WebhookDelivery.objects.get()
    assert (owed.job_id, owed.event, owed.status) == (job.id, event, Outcome.PENDING)
    invariants.check([job.id])


def test_what_is_owed_goes_with_the_move_or_not_at_all(owner: User) -> None:
    job = submit(owner, URL)
    lease = lifecycle.start(job.id, "w")
    assert lease is not None
    with transaction.atomic():
        lifecycle.succeed(lease)
        assert WebhookDelivery.objects.exists()
        transaction.set_rollback(True)  # as when the process is killed before the commit
    assert not WebhookDelivery.objects.exists()
    assert lifecycle.succeed(lease)
    assert not lifecycle.succeed(lease)
    assert WebhookDelivery.objects.count() == 1


def test_only_the_events_that_are_wanted_are_owed(owner: User) -> None:
    endpoints.create(owner, Hook(URL, ("job.failed",)))
    endpoints.create(owner, Hook(URL, ("job.succeeded",)))
    finish(submit(owner, URL, ("job.canceled",)))
    assert [owed.event for owed in WebhookDelivery.objects.all()] == ["job.succeeded"]


def test_an_endpoint_hears_of_its_owners_jobs_only(owner: User) -> None:
    endpoints.create(User.objects.create_user("grace"), Hook(URL))
    finish(submit(owner))
    finish(submit(None))
    assert not WebhookDelivery.objects.exists()


def test_a_requeued_job_keeps_its_webhook(owner: User) -> None:
    job = submit(owner, URL, ("job.failed",))
    fail(job)
    again = submission.requeue(Job.objects.get(id=job.id))
    fail(again)
    assert set(WebhookDelivery.objects.values_list("job_id", flat=True)) == {job.id, again.id}


def test_a_job_that_was_removed_meanwhile_is_given_up_with_a_reason(owner: User) -> None:
    job = submit(owner, URL)
    finish(job)
    Job.objects.all().delete()
    delivery = send_next()
    assert (delivery.status, "removed" in delivery.last_error) == (Outcome.FAILED, True)


def test_looking_for_what_is_due_reads_an_index(owner: User) -> None:
    submit(owner, URL)
    now = timezone.now()
    rows = [
        outbox.delivery(owner.pk, URL, "job.failed", status=Outcome.DELIVERED, finished_at=now)
        for _ in range(2000)
    ]
    WebhookDelivery.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_webhookdelivery")
    with CaptureQueriesContext(connection) as captured:
        deliveries.due(())
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + EXPLAIN[connection.vendor] + captured[0]["sql"])
        plan = str(cursor.fetchall())
    assert "delivery_due" in plan


def test_upkeep_forgets_deliveries_of_long_ago(owner: User, settings: Settings) -> None:
    settings.RETENTION_WEBHOOKS_DAYS = 30
    finish(submit(owner, URL))
    finish(submit(owner, URL))
    old = WebhookDelivery.objects.order_by("created_at")[0]
    WebhookDelivery.objects.filter(id=old.id).update(created_at=timezone.now() - timedelta(days=31))
    assert upkeep.run(dry_run=True)["webhook_deliveries"] == 1
    upkeep.run()
    assert [row.id == old.id for row in WebhookDelivery.objects.all()] == [False]


def test_a_job_ends_whatever_its_webhook_looks_like(owner: User) -> None:
    job = submit(owner, URL)
    JobWebhook.objects.update(url="gopher://stored/by/an/older/version")
    finish(job)
    delivery = send_next()
    assert (delivery.status, "http or https" in delivery.last_error) == (Outcome.PENDING, True)


def test_deleting_an_endpoint_cannot_make_the_end_of_a_job_fail(owner: User) -> None:
    """On PostgreSQL the foreign key would be missed only when the move commits."""
    endpoint = endpoints.create(owner, Hook(URL))
    job = submit(owner)
    ended: list[str] = []

    def end_it() -> None:
        finish(job)
        ended.append(Job.objects.values_list("status", flat=True).get(id=job.id))
        connection.close()

    other = threading.Thread(target=end_it)
    with transaction.atomic():
        endpoint.delete()
        other.start()
        other.join(0.5)
    other.join(30)
    assert ended == ["succeeded"]
    assert not WebhookDelivery.objects.exists()
