"""What is owed to whom: written in the transaction that ends the job, so that no crash loses it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from jobs.errors import InvalidParams
from jobs.models import Job
from jobs.webhooks import guard
from jobs.webhooks.errors import BadAddress
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import (
    TARGET_LENGTH,
    Condition,
    JobWebhook,
    WebhookDelivery,
    WebhookEndpoint,
)

# A paused endpoint's messages wait for it; a disabled one is owed nothing.
OWED = (Condition.ACTIVE, Condition.PAUSED)


def attach(job: Job, hook: Hook) -> JobWebhook:
    """The row, to be stored with the job, that remembers the address it was created with. It needs
    an owner, because somebody's secret must sign."""
    if job.owner_id is None:
        raise InvalidParams({"webhook": ["Only a job with an owner can have one."]})
    return JobWebhook(job_id=job.id, url=hook.url, events=list(hook.events))


def hook_of(job_id: uuid.UUID) -> Hook | None:
    named = JobWebhook.objects.filter(job_id=job_id).first()
    return Hook(named.url, tuple(named.events)) if named else None


def record(job_id: uuid.UUID, status: str) -> None:
    """Owe the news of this job's end to everybody who wants it. The caller's transaction holds
    the move that ends the job."""
    event = f"job.{status}"
    owed = [*_named_by_job(job_id, event), *_named_by_owner(job_id, event)]
    if owed:
        WebhookDelivery.objects.bulk_create(owed)


def delivery(owner_id: Any, url: str, event: str, **facts: Any) -> WebhookDelivery:
    """A row to be stored. Whatever the URL is, a job must be able to end: what cannot be called
    fails when it is sent."""
    try:
        target = guard.parse(url).key
    except BadAddress:
        target = url[:TARGET_LENGTH]
    return WebhookDelivery(owner_id=owner_id, url=url, target=target, event=event, **facts)


def _named_by_job(job_id: uuid.UUID, event: str) -> Iterator[WebhookDelivery]:
    rows = JobWebhook.objects.filter(job_id=job_id, job__owner__isnull=False)
    for owner_id, url, events in rows.values_list("job__owner_id", "url", "events"):
        if event in events:
            yield delivery(owner_id, url, event, job_id=job_id)


def _named_by_owner(job_id: uuid.UUID, event: str) -> Iterator[WebhookDelivery]:
    owner = Job.objects.filter(id=job_id).values("owner_id")
    # Locked, so that one who deletes an endpoint now cannot make this move fail at its commit.
    wanted = WebhookEndpoint.objects.select_for_update(no_key=True)
    for endpoint in wanted.filter(owner_id__in=owner, condition__in=OWED):
        if event in endpoint.events:
            facts = {"job_id": job_id, "endpoint": endpoint}
            yield delivery(endpoint.owner_id, endpoint.url, event, **facts)
