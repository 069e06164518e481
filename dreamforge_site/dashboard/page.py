"""The page as one person may see it: what they have no right to is not looked up."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from dreamforge_site.dashboard import actions, figures, trends, troubles
from dreamforge_site.dashboard.troubles import (
    SEE_DOWNLOADS,
    SEE_JOBS,
    SEE_MODELS,
    SEE_WORKERS,
)
from jobs.admin.words import subject
from jobs.models import Job

LATEST = 8
SEE_LOG = "admin.view_logentry"


def context(request: HttpRequest) -> dict[str, Any]:
    """For `admin/overview/parts.html`."""
    may = request.user.has_perm
    return {
        "models": figures.models() if may(SEE_MODELS) else None,
        "storage": _storage() if may(SEE_MODELS) else None,
        "work": figures.work() if may(SEE_JOBS) else None,
        "downloads": figures.downloads() if may(SEE_DOWNLOADS) else None,
        "queues": figures.queues() if may(SEE_WORKERS) else None,
        "devices": figures.devices() if may(SEE_WORKERS) else None,
        "troubles": troubles.told(may),
        "latest_jobs": _latest_jobs() if may(SEE_JOBS) else None,
        "latest_actions": actions.latest(request) if may(SEE_LOG) else None,
        "charts": charts(may(SEE_JOBS), may(SEE_DOWNLOADS)),
    }


def charts(jobs: bool, downloads: bool) -> dict[str, Any]:
    """What the charts draw, as JSON."""
    shown: dict[str, Any] = {}
    if jobs:
        day = trends.jobs()
        shown["jobs"] = {"labels": day.hours, **day.outcomes}
        shown["waited"] = {"labels": day.hours, **day.waited_s._asdict()}
        shown["ran"] = {"labels": day.hours, **day.ran_s._asdict()}
    if downloads:
        hours = trends.jobs().hours
        shown["bytes"] = {"labels": hours, "received": trends.download_bytes()}
    return shown


def _storage() -> dict[str, Any]:
    disk, saved = figures.disk(), figures.saved_bytes()
    known = disk.used_bytes is not None and disk.free_bytes is not None
    whole = (disk.used_bytes or 0) + (disk.free_bytes or 0)
    share = round(100 * (disk.used_bytes or 0) / whole, 1) if known and whole else None
    return {"disk": disk, "saved_bytes": saved, "used_pct": share, "is_low": figures.is_low()}


def _latest_jobs() -> list[tuple[Job, str]]:
    newest = Job.objects.order_by("-created_at", "-id").select_related("owner")
    fields = ("type", "status", "progress", "created_at", "params", "owner__username")
    return [(job, subject(job)) for job in newest.only(*fields)[:LATEST]]
