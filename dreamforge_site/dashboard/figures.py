"""How the service is at this moment. Each look is a fixed number of queries, whatever the tables
hold, and reads no further than its numbers are worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.utils import timezone

from downloader import configured
from downloader.hub.models import Repo, RepoStatus, Snapshot
from downloader.kinds import TYPES
from downloader.metrics import FRESH
from dreamforge_site.dashboard.keeping import kept
from dreamforge_site.operations.bounded import Panel
from jobs.admin import workforce
from jobs.admin.workforce import Device
from jobs.models import Job
from jobs.states import State
from registry.models import Model

SOON_S, DISK_S = 2.0, 30.0
DISK_LIMIT_S = 2.0
COUNTED = 100_000
DAY = timedelta(hours=24)
# A job that failed today was made in the last days: so far back its index is read.
MADE_WITHIN = timedelta(days=7)


@dataclass(frozen=True)
class Models:
    total: int
    installed: int
    enabled: int
    missing: int  # were installed, and are not where they were
    mismatched: int
    size_bytes: int


@dataclass(frozen=True)
class Work:
    queued: int
    running: int
    failed: int
    dead: int


@dataclass(frozen=True)
class Downloads:
    running: int
    waiting: int
    rate_bps: int


@dataclass(frozen=True)
class Disk:
    """None: the file system did not answer in time, or does not say."""

    used_bytes: int | None = None
    free_bytes: int | None = None
    quarantined: int | None = None


@dataclass(frozen=True)
class Hub:
    gone: int
    updates: int
    failing: int
    shown_bytes: int  # what the repositories' folders show


@kept(SOON_S)
def models() -> Models:
    gone = Q(installed=False) & ~Q(local_path="")
    facts: dict[str, int] = Model.objects.order_by().aggregate(
        n_total=Count("pk"),
        n_installed=Count("pk", filter=Q(installed=True)),
        n_enabled=Count("pk", filter=Q(enabled=True)),
        n_missing=Count("pk", filter=gone),
        n_mismatched=Count("pk", filter=Q(trust="mismatch")),
        n_bytes=Sum("size_bytes", filter=Q(installed=True), default=0),
    )
    return Models(*facts.values())


@kept(SOON_S)
def queues() -> list[dict[str, Any]]:
    return workforce.queues()


@kept(SOON_S)
def work() -> Work:
    now = timezone.now()
    failed = Job.objects.filter(
        status=State.FAILED, created_at__gte=now - MADE_WITHIN, finished_at__gte=now - DAY
    )
    return Work(
        queued=sum(queue["depth"] for queue in queues()),
        running=sum(queue["running"] for queue in queues()),
        failed=failed.order_by()[:COUNTED].count(),
        dead=Job.objects.dead().order_by()[:COUNTED].count(),
    )


@kept(SOON_S)
def downloads() -> Downloads:
    """From the jobs that run, which are few: a download that ended keeps its last rate."""
    theirs = Job.objects.filter(type__in=TYPES).order_by()
    fresh = Q(download__updated_at__gt=timezone.now() - FRESH)
    now = theirs.filter(status=State.RUNNING).aggregate(
        running=Count("pk"), rate=Sum("download__rate_bps", filter=fresh, default=0)
    )
    waiting = theirs.filter(status=State.QUEUED)[:COUNTED].count()
    return Downloads(now["running"], waiting, now["rate"])


@kept(SOON_S)
def hub() -> Hub:
    facts: dict[str, int] = Repo.objects.order_by().aggregate(
        gone=Count("pk", filter=Q(gone_at__isnull=False)),
        updates=Count("pk", filter=~Q(update_commit="") & Q(gone_at__isnull=True)),
        failing=Count("pk", filter=Q(status=RepoStatus.ERROR.value) & Q(gone_at__isnull=True)),
    )
    shown = Snapshot.objects.order_by().aggregate(size=Sum("done_bytes", default=0))["size"]
    return Hub(**facts, shown_bytes=shown)


_panel: Panel[Disk] = Panel(DISK_LIMIT_S)


@kept(DISK_S)
def disk() -> Disk:
    """The store says it, within a limited time: a share that hangs must not hang the page."""
    return _panel.ask({"models_root": _look_at_disk})["models_root"].value or Disk()


def _look_at_disk() -> Disk:
    usage = configured.store().usage()
    used = usage.blob_bytes + usage.staging_bytes + usage.quarantine_bytes
    return Disk(used, usage.free_bytes, usage.quarantine)


def saved_bytes() -> int | None:
    """What is shown more than once and lies on the disk once."""
    used = disk().used_bytes
    shown = models().size_bytes + hub().shown_bytes
    return None if used is None else max(0, shown - used)


def is_low() -> bool:
    free = disk().free_bytes
    return free is not None and free < settings.ENVIRONMENT.min_free_bytes


def devices() -> list[Device]:
    return workforce.devices(queues())
