"""Tracked repositories: what a source says of them, and what of it lies here.

A `Repo` is one revision (a branch, tag or commit) of one repository. Each commit that it was seen
at is a `Snapshot` with its files; the newest one is the repo's own. Their rows mirror the store's
descriptors: `downloader.hub.reconciling` makes them agree again after somebody moved files by hand.
"""

from __future__ import annotations

import uuid
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from downloader.library.checksums import Trust
from downloader.library.watch import FileState


class RepoStatus(StrEnum):
    REGISTERED = "registered"
    SYNCED = "synced"
    ERROR = "error"


class FileType(StrEnum):
    MODEL = "model"
    CONFIG = "config"
    TOKENIZER = "tokenizer"
    WEIGHTS_INDEX = "weights-index"
    DOC = "doc"
    OTHER = "other"


def _choices(words: type[StrEnum]) -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in words]


def _one_of(words: type[StrEnum], field: str) -> Q:
    return Q(**{f"{field}__in": [word.value for word in words]})


class Repo(models.Model):
    """Written by `downloader.hub.registering`, `syncing` and `accounting` alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.CharField(max_length=32, default="hf")
    author = models.CharField(max_length=96, blank=True)
    name = models.CharField(max_length=96)
    revision = models.CharField(max_length=512)
    status = models.CharField(
        max_length=16, choices=_choices(RepoStatus), default=RepoStatus.REGISTERED
    )
    error_code = models.CharField(max_length=32, blank=True)
    error_message = models.TextField(blank=True)
    # What the last sync saw.
    snapshot = models.ForeignKey(
        "Snapshot", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    gated = models.BooleanField(default=False)
    private = models.BooleanField(default=False)
    licence = models.CharField(max_length=200, blank=True)
    page = models.CharField(max_length=2048, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    # Every file that the policy allows is here.
    is_downloaded = models.BooleanField(default=False)
    auto_sync = models.BooleanField(default=False)
    # What the watch found upstream: a commit other than the snapshot's, and how it differs.
    update_commit = models.CharField(max_length=64, blank=True)
    update = models.JSONField(default=dict, blank=True)
    gone_at = models.DateTimeField(null=True)  # since when the source says it is not there
    checked_at = models.DateTimeField(null=True)
    synced_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )

    class Meta:
        verbose_name = "repository"
        verbose_name_plural = "repositories"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "author", "name", "revision"], name="repo_unique"
            ),
            models.CheckConstraint(
                condition=_one_of(RepoStatus, "status"), name="repo_status_known"
            ),
        ]
        indexes = [
            # Lists: newest first.
            models.Index(fields=["-created_at", "-id"], name="repo_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.full_name}@{self.revision}"

    @property
    def full_name(self) -> str:
        """As its source spells it."""
        return f"{self.author}/{self.name}" if self.author else self.name

    @property
    def commit(self) -> str:
        return self.snapshot.commit if self.snapshot else ""


class Snapshot(models.Model):
    """The files of one commit. `folder`: where those that are here can be seen, below the models
    root; empty as long as none is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    repo = models.ForeignKey(
        Repo,
        on_delete=models.CASCADE,
        related_name="snapshots",
        db_index=False,  # snapshot_unique and snapshot_newest begin with it
    )
    commit = models.CharField(max_length=64)
    folder = models.CharField(max_length=1024, blank=True)
    file_count = models.PositiveIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)
    done_count = models.PositiveIntegerField(default=0)
    done_bytes = models.BigIntegerField(default=0)
    # Against the snapshot before: how many were added, changed, removed, and the first of each.
    changes = models.JSONField(default=dict, blank=True)
    taken_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repo", "commit"], name="snapshot_unique"),
        ]
        # A repository's older commits, newest first.
        indexes = [models.Index(fields=["repo", "-taken_at"], name="snapshot_newest")]

    def __str__(self) -> str:
        return f"{self.repo.full_name}@{self.commit[:12]}"


class RepoFile(models.Model):
    """A file of a snapshot. Its bytes are here when `status` is done: as the blob `sha256`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    snapshot = models.ForeignKey(
        Snapshot, on_delete=models.CASCADE, related_name="files", db_index=False
    )
    path = models.CharField(max_length=1024)
    size_bytes = models.BigIntegerField(null=True)
    type = models.CharField(max_length=16, choices=_choices(FileType), default=FileType.OTHER)
    format = models.CharField(max_length=16, blank=True)
    digest = models.CharField(max_length=140, blank=True)  # "algorithm:hex", as published
    # Why the operator's policy does not let it be fetched; empty when it does.
    barred = models.CharField(max_length=300, blank=True)
    status = models.CharField(max_length=16, choices=_choices(FileState), default=FileState.PENDING)
    sha256 = models.CharField(max_length=64, blank=True)
    trust = models.CharField(max_length=16, choices=_choices(Trust), default=Trust.UNVERIFIED)
    error = models.CharField(max_length=300, blank=True)
    verified_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "file of a repository"
        verbose_name_plural = "files of repositories"
        ordering = ["snapshot", "path"]
        constraints = [
            # Also the index that a snapshot's files are read by.
            models.UniqueConstraint(fields=["snapshot", "path"], name="repo_file_unique"),
            models.CheckConstraint(
                condition=_one_of(FileState, "status"), name="repo_file_status_known"
            ),
            models.CheckConstraint(
                condition=_one_of(FileType, "type"), name="repo_file_type_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=FileState.DONE.value) | ~Q(sha256=""),
                name="repo_file_done_has_a_blob",
            ),
        ]
        indexes = [
            # Which files show a blob: a scrub that finds it damaged, a removal.
            models.Index(fields=["sha256"], condition=~Q(sha256=""), name="repo_file_by_blob"),
            # A file on disk that a scan has hashed, looked up by what its source publishes.
            models.Index(fields=["digest"], condition=~Q(digest=""), name="repo_file_by_digest"),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def is_here(self) -> bool:
        return self.status == FileState.DONE


class Scanned(models.Model):
    """A file that a scan has read: as long as size, time and inode stay, it is not hashed again."""

    path = models.CharField(max_length=1024, unique=True)  # below the models root
    size_bytes = models.BigIntegerField()
    mtime_ns = models.BigIntegerField()
    inode = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "scanned file"

    def __str__(self) -> str:
        return self.path
