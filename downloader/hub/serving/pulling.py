"""Fetching what a client asks for and is not here, where DF_HUB_PULL_THROUGH allows it: one job,
however many clients wait for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from downloader.hub import registering
from downloader.hub.models import Repo, RepoFile
from downloader.hub.serving.holdings import Shelf
from jobs import submission
from jobs.models import Job
from jobs.states import LIVE, State

SCOPE = "models"
PERMISSION = "downloader.add_download"


def may(user: Any, key_scopes: list[str] | None) -> bool:
    """Whether what this caller asks for is fetched. `key_scopes`: None without an API key."""
    allowed = key_scopes is None or SCOPE in key_scopes
    return bool(settings.HUB_PULL_THROUGH and allowed and user.has_perm(PERMISSION))


def file(on: Shelf, path: str, owner: AbstractBaseUser) -> Job:
    """The job that fetches the file: the one that is under way, or a new one."""
    params = {
        "repo_id": str(on.repo.pk),
        "commit": on.commit,
        "selection": [{"path": path, "type": "file"}],
    }
    rows = RepoFile.objects.filter(snapshot__repo=on.repo, snapshot__commit=on.commit, path=path)
    return _one("mirror", on.repo, params, owner, lambda: any(row.is_here for row in rows))


def repository(repo_id: str, revision: str, owner: AbstractBaseUser) -> Job:
    """The job that asks the source what the revision holds; it is tracked from now on."""
    repo, _ = registering.register(repo_id, revision, by=owner)
    known = Repo.objects.filter(pk=repo.pk, snapshot__isnull=False)
    return _one("sync", repo, {"repo_id": str(repo.pk)}, owner, known.exists)


def job(job_id: str) -> Job | None:
    """The job that a client has waited for."""
    try:
        return Job.objects.filter(pk=uuid.UUID(job_id)).first()
    except ValueError:
        return None


def is_about(job: Job, repo_id: str) -> bool:
    author, _, name = repo_id.rpartition("/")
    return Repo.objects.filter(pk=job.params.get("repo_id"), author=author, name=name).exists()


def _one(
    type_name: str,
    repo: Repo,
    params: Mapping[str, Any],
    owner: AbstractBaseUser,
    is_here: Callable[[], bool],
) -> Job:
    """`is_here`: whether it came after the client was told that it is missing; then the job that
    brought it, for which nobody has to wait."""
    with transaction.atomic():
        Repo.objects.select_for_update().get(pk=repo.pk)  # two clients at one moment: one job
        jobs = Job.objects.filter(type=type_name, params__repo_id=str(repo.pk))
        waiting = jobs.filter(status__in=LIVE).order_by("created_at")
        found = next((job for job in waiting if _brings(job.params, params)), None)
        if found is None and is_here():
            found = jobs.filter(status=State.SUCCEEDED).order_by("-created_at", "-id").first()
        return found or _started(type_name, params, owner)


def _started(type_name: str, params: Mapping[str, Any], owner: AbstractBaseUser) -> Job:
    """Not for the admin's log: a client asks for file after file. Who began is told there where
    the repository was registered."""
    draft = submission.draft(type_name, params, owner)
    submission.store([draft])
    return draft.job


def _brings(standing: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether the job's parameters cover what is wanted."""
    if "selection" not in wanted:
        return True
    if standing.get("commit") != wanted["commit"]:
        return False
    entries = standing.get("selection") or ()
    asked = wanted["selection"][0]["path"]
    return not entries or any(entry["path"] == asked for entry in entries)
