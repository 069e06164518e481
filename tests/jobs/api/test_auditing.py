"""What people change over the API stands in the admin's log, as what they change there does."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper() -> User:
    return User.objects.create_superuser("keeper")


@pytest.fixture
def api(keeper: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(keeper)
    return client


def entries() -> list[tuple[str, str]]:
    return list(LogEntry.objects.values_list("user__username", "change_message").order_by("pk"))


def test_a_cancel_and_a_requeue_are_written_down(api: APIClient, keeper: User) -> None:
    job = submission.submit("selftest", {}, keeper)
    api.post(f"/v1/jobs/{job.pk}/cancel")
    api.post(f"/v1/jobs/{job.pk}/requeue", {}, format="json")
    again = Job.objects.exclude(pk=job.pk).get()
    assert entries() == [
        ("keeper", "canceled: queued → canceled."),
        ("keeper", f"requeued as {again.pk}: canceled as before."),
    ]


def test_a_refused_cancel_is_not(api: APIClient, keeper: User) -> None:
    job = submission.submit("selftest", {}, keeper)
    submission.cancel(job)
    assert api.post(f"/v1/jobs/{job.pk}/cancel").status_code == 409
    assert entries() == []


def test_pausing_and_resuming_a_queue_are_written_down_with_the_reason(api: APIClient) -> None:
    api.post("/v1/queues/io/pause", {"reason": "a new disk"}, format="json")
    api.post("/v1/queues/io/resume")
    assert entries() == [
        ("keeper", "paused: open → paused (a new disk)."),
        ("keeper", "resumed: paused (a new disk) → open."),
    ]
