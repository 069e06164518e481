"""A download as people see it: the job says how it stands, its `Download` row how many bytes."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Count

from downloader.kinds import TYPES
from downloader.library.watch import FileState
from downloader.models import Download, DownloadFile
from jobs import logbook
from jobs.logbook import Wanted
from jobs.models import Job, JobQuerySet
from jobs.states import State

LOG_LINES = 50
NOTHING = Download(bytes_done=0, bytes_total=None, rate_bps=0)


def downloads(jobs: JobQuerySet) -> JobQuerySet:
    """Those of `jobs` that are this room's, with their bytes in the same query."""
    return jobs.filter(type__in=TYPES).select_related("download")


def summary(job: Job) -> dict[str, Any]:
    bytes_of = getattr(job, "download", NOTHING)
    running = job.status == State.RUNNING
    return {
        "id": job.pk,
        "kind": job.type,
        "status": job.status,
        "ref": job.params.get("ref"),
        "source_uri": bytes_of.source_uri or None,
        "model_id": bytes_of.model_id or job.params.get("model_id"),
        "repo_id": job.params.get("repo_id"),
        "progress_pct": round(job.progress * 100, 1),
        "bytes_done": bytes_of.bytes_done,
        "bytes_total": bytes_of.bytes_total,
        "rate_bps": bytes_of.rate_bps if running else 0,
        "eta_s": _eta_s(bytes_of) if running else None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "error_code": job.error_code,
        "error_message": job.error_message,
    }


def detail(job: Job) -> dict[str, Any]:
    return {
        **summary(job),
        "owner_id": job.owner_id,
        "files": counts(job),
        "log": last_lines(job),
    }


def counts(job: Job) -> dict[str, int]:
    """Of its files by state, every state named."""
    files = DownloadFile.objects.filter(download_id=job.pk)  # none before it has resolved, or ever
    found = dict(files.values_list("status").annotate(n=Count("id")).order_by())
    return {state.value: found.get(state.value, 0) for state in FileState}


def last_lines(job: Job) -> list[dict[str, Any]]:
    text = b"".join(logbook.pages(job, Wanted(tail=LOG_LINES)))
    return [json.loads(line) for line in text.splitlines()]


def _eta_s(bytes_of: Download) -> float | None:
    if bytes_of.bytes_total is None or not bytes_of.rate_bps:
        return None
    return round(max(0, bytes_of.bytes_total - bytes_of.bytes_done) / bytes_of.rate_bps, 1)
