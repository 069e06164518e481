"""Facts about models. `catalog` alone writes them."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from registry.descriptors import LONGEST_NAME, LONGEST_PATH, LONGEST_URI, TRUSTED, InstalledFile
from registry.kinds import DRAWN, KINDS

KIND_CHOICES = [(kind, kind) for kind in KINDS]


class Model(models.Model):
    """A model and where its files lie. The database keeps the promise that one which is enabled is
    installed and that somebody answers for each of its files."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=LONGEST_NAME)
    kind = models.CharField(max_length=32, choices=KIND_CHOICES)
    version = models.CharField(max_length=LONGEST_NAME)
    installed = models.BooleanField(default=False)
    enabled = models.BooleanField(default=False)
    is_default = models.BooleanField("default", default=False)
    # The least that holds for any of its files.
    trust = models.CharField(max_length=16, default="unverified")
    checkpoint_hash = models.CharField("checkpoint", max_length=71, null=True)  # noqa: DJ001  null as in model.json
    size_bytes = models.BigIntegerField("size", default=0)
    source_uri = models.CharField("source", max_length=LONGEST_URI)
    local_path = models.CharField("folder", max_length=LONGEST_PATH, blank=True)  # below the root
    search_text = models.TextField(blank=True)  # what `q` looks through
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    # When somebody last chose between enabled and disabled; null: nobody has.
    switched_at = models.DateTimeField(null=True)
    # The long ones last: a list reads the others without touching them.
    parameters_schema = models.JSONField(default=dict)
    capabilities = models.JSONField(default=dict)
    files_json = models.JSONField(default=list)
    provenance = models.JSONField(default=dict)
    schema_version = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # Lists, newest first, of all and by kind.
            models.Index(fields=["-created_at", "-id"], name="model_by_age"),
            models.Index(fields=["kind", "-created_at", "-id"], name="model_by_kind"),
            # The usual list. SQLite uses no index that begins with a boolean, but a partial one;
            # what is enabled is installed, so the second condition is not needed.
            models.Index(
                fields=["-created_at", "-id"], name="model_enabled", condition=Q(enabled=True)
            ),
            models.Index(
                fields=["kind", "-created_at", "-id"],
                name="model_enabled_by_kind",
                condition=Q(enabled=True),
            ),
            # The few that need somebody's attention.
            models.Index(
                fields=["-created_at", "-id"], name="model_disabled", condition=Q(enabled=False)
            ),
            models.Index(
                fields=["-created_at", "-id"], name="model_missing", condition=Q(installed=False)
            ),
            # A command names a model without its kind.
            models.Index(fields=["name"], name="model_by_name"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "version"], name="model_unique"),
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="model_one_default"
            ),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="model_kind_known"),
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(installed=True, trust__in=sorted(TRUSTED)),
                name="model_enabled_is_usable",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(kind__in=DRAWN), name="model_default_draws"
            ),
            models.CheckConstraint(
                condition=Q(installed=False) | ~Q(local_path=""), name="model_installed_somewhere"
            ),
            models.CheckConstraint(condition=~Q(name="") & ~Q(version=""), name="model_named"),
            models.CheckConstraint(condition=Q(size_bytes__gte=0), name="model_size_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def trusted(self) -> bool:
        """Whether somebody answers for each of its files."""
        return self.trust in TRUSTED

    @property
    def folder(self) -> Path:
        """Where its files lie on this machine, if it is installed."""
        return Path(settings.MODELS_ROOT) / self.local_path

    @property
    def files(self) -> tuple[InstalledFile, ...]:
        return tuple(InstalledFile(**row) for row in self.files_json)
