"""How far downloads are. That there is one, and how it ends, is the job's to say."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from downloader.library.watch import FileState
from jobs.models import Job

FILE_STATES = [(state.value, state.value) for state in FileState]


class Download(models.Model):
    """The bytes of a download job. The row appears when the job has resolved its reference."""

    job = models.OneToOneField(
        Job, primary_key=True, on_delete=models.CASCADE, related_name="download"
    )
    source_uri = models.CharField(max_length=2200, blank=True)
    title = models.CharField(max_length=300, blank=True)
    # The model it became, once it is installed. No foreign key: history outlives a removed model.
    model_id = models.UUIDField(null=True)
    bytes_done = models.BigIntegerField(default=0)
    bytes_total = models.BigIntegerField(null=True)
    bytes_received = models.BigIntegerField(default=0)
    rate_bps = models.BigIntegerField(default=0)
    # Of the row. Its job is older, but the order of jobs is no order of the few that download.
    # In the database too: a worker of the version before knows nothing of it.
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # The list, newest first.
        indexes = [models.Index(fields=["-created_at", "-job"], name="download_by_age")]
        constraints = [
            models.CheckConstraint(condition=Q(bytes_done__gte=0), name="download_bytes_positive")
        ]

    def __str__(self) -> str:
        return self.title or str(self.job_id)


class DownloadFile(models.Model):
    """One file of a download."""

    download = models.ForeignKey(
        Download, on_delete=models.CASCADE, related_name="files", db_index=False
    )
    path = models.CharField(max_length=1024)
    status = models.CharField(max_length=16, choices=FILE_STATES, default=FileState.PENDING)
    size_bytes = models.BigIntegerField(null=True)
    bytes_done = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["download", "path"]
        constraints = [
            # Also the index that a download's files are read by.
            models.UniqueConstraint(fields=["download", "path"], name="download_file_unique"),
            models.CheckConstraint(
                condition=Q(status__in=[state.value for state in FileState]),
                name="download_file_status_known",
            ),
        ]

    def __str__(self) -> str:
        return self.path


class TokenCheck(models.Model):
    """What a source last said of the token that is configured for it. The token is not here."""

    source = models.CharField(primary_key=True, max_length=32)
    account = models.CharField(max_length=200, blank=True)
    scope = models.CharField(max_length=100, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    checked_at = models.DateTimeField(default=timezone.now)
    worked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.source} token"


from downloader.hub import models as hub  # noqa: E402, F401  Django looks for models here
