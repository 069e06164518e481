"""Taking a repository off the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import DELETION
from django.db import transaction

from downloader import kinds
from downloader.hub import removal
from downloader.hub.errors import InvalidState
from downloader.hub.models import Repo, RepoFile
from jobs.models import Job
from jobs.states import State
from registry import auditing


@dataclass(frozen=True)
class Forgotten:
    forgotten: bool
    freed_bytes: int
    kept_bytes: int


def forget(repo: Repo, *, files: bool = False, dry_run: bool = False, by: Any = None) -> Forgotten:
    """Its rows go; with `files` its folders, too, and bytes that nothing else uses. InvalidState
    while a job works on it."""
    refuse_at_work(repo)
    if files:
        gone = removal.remove(repo, dry_run=dry_run, forget=True, by=by)
        return Forgotten(gone.forgotten, gone.freed_bytes, gone.kept_bytes)
    if not dry_run:
        with transaction.atomic():
            auditing.note(repo, by, "forgotten; its files stay.", DELETION)
            repo.delete()
    return Forgotten(not dry_run, 0, 0)


def refuse_at_work(repo: Repo) -> None:
    running = Job.objects.filter(type__in=kinds.TYPES, status=State.RUNNING)
    working = next((job for job in running if _is_about(job, repo)), None)
    if working is not None:
        raise InvalidState(
            f"The job {working.pk} works on {repo}; wait for its end, or cancel it.",
            details={"job_id": str(working.pk)},
        )


def _is_about(job: Job, repo: Repo) -> bool:
    if job.params.get("artifact_ids"):
        files = RepoFile.objects.filter(snapshot__repo=repo)
        return files.filter(pk__in=job.params["artifact_ids"]).exists()
    return bool(job.params.get("repo_id") == str(repo.pk))
