"""Facts about background work. `lifecycle` alone writes a job's status, `events` its history."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.utils import timezone

from jobs import thumbnails
from jobs.states import TERMINAL, State

SCHEMA_VERSION = 1
STATE_CHOICES = [(state.value, state.value) for state in State]


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: Any) -> JobQuerySet:
        """Staff see every job, others their own."""
        return self if user.is_staff else self.filter(owner=user)

    def dead(self) -> JobQuerySet:
        """Used up their attempts, and nobody has requeued or discarded them yet."""
        return self.filter(dead_at__isnull=False, dead_resolved_at__isnull=True)


class Job(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    type = models.CharField(max_length=64)
    queue = models.CharField(max_length=16)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,  # job_by_owner begins with it
    )
    params = models.JSONField(default=dict)
    summary = models.JSONField(default=dict)
    schema_version = models.PositiveSmallIntegerField(default=SCHEMA_VERSION)
    request_id = models.CharField(max_length=128, blank=True)
    requeued_from = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="requeued_as",
        db_index=False,  # few jobs have one: see job_requeued
    )

    status = models.CharField(max_length=16, choices=STATE_CHOICES, default=State.QUEUED)
    priority = models.SmallIntegerField(default=0)
    # For whom the job counts when shares are dealt: the owner's id, empty for the service itself.
    share = models.CharField(max_length=36, blank=True)
    model_id = models.UUIDField(null=True)  # no foreign key: history outlives a removed model
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=3)
    error_code = models.CharField(max_length=32, blank=True)
    error_message = models.TextField(blank=True)
    error_detail = models.TextField(blank=True)
    cancel_requested_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    dead_resolved_at = models.DateTimeField(null=True)

    # The lease. `claim` is the fencing token: every claim takes the next number, and a write that
    # names an older one changes nothing. `beat` grows while the holder lives; others judge a lease
    # by whether it still grows, so that no clock has to be right.
    claim = models.PositiveIntegerField(default=0)
    beat = models.PositiveBigIntegerField(default=0)
    lease_holder = models.CharField(max_length=200, blank=True)
    lease_expires_at = models.DateTimeField(null=True)

    last_seq = models.PositiveIntegerField(default=0)
    progress = models.FloatField(default=0.0)
    progress_state = models.JSONField(default=dict)

    available_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # The claim: best priority, then the next share, then its oldest job.
            models.Index(
                fields=["queue", "status", "-priority", "share", "available_at", "id"],
                name="job_claim",
            ),
            # Lists by owner and for all, newest first, with and without a status.
            models.Index(fields=["owner", "-created_at", "-id"], name="job_by_owner"),
            models.Index(
                fields=["owner", "status", "-created_at", "-id"], name="job_by_owner_status"
            ),
            models.Index(fields=["-created_at", "-id"], name="job_by_age"),
            models.Index(fields=["status", "-created_at", "-id"], name="job_by_status"),
            models.Index(fields=["type", "-created_at", "-id"], name="job_by_type"),
            # What few jobs have: a partial index costs the others nothing.
            models.Index(fields=["dead_at"], name="job_dead", condition=Q(dead_at__isnull=False)),
            models.Index(
                fields=["model_id", "-created_at", "-id"],
                name="job_by_model",
                condition=Q(model_id__isnull=False),
            ),
            models.Index(
                fields=["requeued_from"],
                name="job_requeued",
                condition=Q(requeued_from__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[state.value for state in State]), name="job_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=sorted(TERMINAL)) | Q(finished_at__isnull=False),
                name="job_terminal_has_end",
            ),
            models.CheckConstraint(
                condition=~Q(status=State.RUNNING) | ~Q(lease_holder=""),
                name="job_running_has_holder",
            ),
            models.CheckConstraint(
                condition=Q(progress__gte=0.0) & Q(progress__lte=1.0), name="job_progress_range"
            ),
            models.CheckConstraint(
                condition=Q(attempts__lte=F("max_attempts")), name="job_attempts_bounded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    @property
    def waited_s(self) -> float:
        """How long its last attempt waited after it could have started."""
        began = self.started_at or timezone.now()
        return max(0.0, (began - self.available_at).total_seconds())


class Step(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The unique constraints of a job's parts begin with the job: no other index is needed.
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="steps", db_index=False)
    name = models.CharField(max_length=64)
    position = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=16, choices=STATE_CHOICES, default=State.QUEUED)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["job", "position"]
        constraints = [
            models.UniqueConstraint(fields=["job", "name"], name="step_unique"),
            models.CheckConstraint(
                condition=Q(status__in=[state.value for state in State]), name="step_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One line of a job's history. `seq` counts 1, 2, 3… within its job, with no gap."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    ts = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, default="info")
    code = models.CharField(max_length=32)
    message = models.TextField(blank=True)
    payload = models.JSONField(default=dict)
    # A step goes only when its job goes, and the events with it: nothing has to look for them.
    step = models.ForeignKey(
        Step,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    item_index = models.PositiveIntegerField(null=True)

    class Meta:
        ordering = ["job", "seq"]
        constraints = [models.UniqueConstraint(fields=["job", "seq"], name="event_seq_unique")]

    def __str__(self) -> str:
        return f"{self.seq} {self.code}"


class Artifact(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="artifacts", db_index=False)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="artifacts")
    item_index = models.PositiveIntegerField()
    s3_key = models.CharField(max_length=512, unique=True)
    format = models.CharField(max_length=8)
    content_type = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    seed = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    pixels_sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField()
    # A small picture is stored beside it. The database has the default too, here and below: workers
    # of the version before still write rows when `migrate` has run already.
    has_thumbnail = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["job", "item_index"]
        indexes = [
            # Whose picture is this? Asked of an image that no longer says so itself.
            models.Index(fields=["pixels_sha256"], name="artifact_pixels")
        ]
        constraints = [
            # A retry replaces an item's artifact; it can never add a second one.
            models.UniqueConstraint(fields=["job", "step", "item_index"], name="artifact_unique")
        ]

    def __str__(self) -> str:
        return self.s3_key

    @property
    def stored_keys(self) -> tuple[str, ...]:
        return thumbnails.stored_keys(self.s3_key, self.has_thumbnail)


class Leftover(models.Model):
    """A stored file that no row shows, until it is removed from the storage; not before `since`."""

    s3_key = models.CharField(max_length=512)
    since = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.s3_key


class Queue(models.Model):
    """An operator's word on a queue. A queue without a row is open."""

    name = models.CharField(max_length=16, primary_key=True)
    paused = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Worker(models.Model):
    """A worker process that looks for work. `beat` grows while it lives."""

    id = models.CharField(max_length=200, primary_key=True)
    queue = models.CharField(max_length=16)
    slots = models.PositiveSmallIntegerField(default=1)
    devices = models.JSONField(default=list)
    # Of each device by its name, as far as its driver tells: label, total, used, peak (bytes).
    device_facts = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    warm_models = models.JSONField(default=list)
    version = models.CharField(max_length=32, blank=True)
    stopping = models.BooleanField(default=False)
    beat = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # Who works on a queue, and the admin's list.
        indexes = [models.Index(fields=["queue", "id"], name="worker_by_queue")]

    def __str__(self) -> str:
        return self.id


class IdempotencyKey(models.Model):
    """The first answer to a request that may be sent again. Neither key nor body is kept, only
    their hashes."""

    caller = models.CharField(max_length=64)
    scope = models.CharField(max_length=64)
    key_hash = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    answer = models.JSONField(default=dict)
    location = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["caller", "scope", "key_hash"], name="idempotency_unique"
            )
        ]
        indexes = [models.Index(fields=["expires_at"], name="idempotency_expiry")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key_hash[:8]}"


from jobs.webhooks import models as webhooks  # noqa: E402, F401  Django looks for models here
