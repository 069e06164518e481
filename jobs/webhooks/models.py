"""Facts about webhooks. No secret is stored: `signing` derives each from a salt kept here."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

URL_LENGTH = 2000
TARGET_LENGTH = 300


class Condition(StrEnum):
    """Of an endpoint. Paused: what is owed waits. Disabled: nothing is owed any more."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class Outcome(StrEnum):
    """Of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Keyed(models.Model):
    """Something that signs. While `previous_until` has not passed, both secrets sign."""

    salt = models.CharField(max_length=64, editable=False)
    previous_salt = models.CharField(max_length=64, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


class WebhookEndpoint(Keyed):
    """Where an account wants to be told of all its jobs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhook_endpoints"
    )
    url = models.CharField(max_length=URL_LENGTH)
    events: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    condition = models.CharField(
        max_length=16, choices=[(c.value, c.value) for c in Condition], default=Condition.ACTIVE
    )
    reason = models.CharField(max_length=200, blank=True)
    failing_since = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # The owner's list, newest first; also what a job's end looks up.
            models.Index(fields=["owner", "-created_at", "-id"], name="webhook_of_owner"),
            # Everybody's list, in the admin.
            models.Index(fields=["-created_at", "-id"], name="webhook_by_age"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(condition__in=[c.value for c in Condition]), name="webhook_condition"
            )
        ]

    def __str__(self) -> str:
        return f"webhook {self.id}"


class WebhookKey(Keyed):
    """What signs for an account where a job itself names the address."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"webhook key of {self.owner_id}"


class JobWebhook(models.Model):
    """The address a job was created with."""

    job = models.OneToOneField(
        "jobs.Job", on_delete=models.CASCADE, primary_key=True, related_name="webhook"
    )
    url = models.CharField(max_length=URL_LENGTH)
    events: models.JSONField[list[str], list[str]] = models.JSONField(default=list)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"webhook of job {self.job_id}"


class WebhookDelivery(models.Model):
    """One message owed to one address. The id travels as `webhook-id` with every attempt."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Null: the job itself named the address.
    endpoint = models.ForeignKey(
        WebhookEndpoint, null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    job = models.ForeignKey("jobs.Job", null=True, on_delete=models.SET_NULL, related_name="+")
    event = models.CharField(max_length=32)
    url = models.CharField(max_length=URL_LENGTH)
    # scheme://host:port; one process has one attempt at a time under way to each.
    target = models.CharField(max_length=TARGET_LENGTH)
    body = models.TextField(blank=True)  # written at the first attempt; later ones send the same
    status = models.CharField(
        max_length=16, choices=[(o.value, o.value) for o in Outcome], default=Outcome.PENDING
    )
    attempts = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)  # of this round; a re-send begins another
    last_error = models.CharField(max_length=300, blank=True)
    # When to try next. An attempt under way holds it in the future: that is its lease.
    next_at = models.DateTimeField(default=timezone.now)
    holder = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["status", "next_at"], name="delivery_due"),
            models.Index(fields=["owner", "-created_at", "-id"], name="delivery_of_owner"),
            # Everybody's list, in the admin, and what has become old enough to go.
            models.Index(fields=["-created_at", "-id"], name="delivery_newest"),
            # Those that failed, which are few among many that went well.
            models.Index(fields=["status", "-created_at", "-id"], name="delivery_by_status"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[o.value for o in Outcome]), name="delivery_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=Outcome.PENDING.value) | Q(finished_at__isnull=False),
                name="delivery_over_has_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    @property
    def message_id(self) -> str:
        return f"msg_{self.id.hex}"

    @property
    def next_attempt_at(self) -> datetime | None:
        return self.next_at if self.status == Outcome.PENDING else None


class WebhookAttempt(models.Model):
    """One knock at the door, written before it. Without `finished_at` its worker was killed."""

    delivery = models.ForeignKey(
        WebhookDelivery, on_delete=models.CASCADE, related_name="attempt_log"
    )
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    response = models.TextField(blank=True)

    class Meta:
        default_permissions = ()
        ordering = ["delivery", "number"]
        constraints = [
            # However many workers look: an attempt is made once.
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"
