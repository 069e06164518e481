"""From a request to the commit it is about; to the job that brings it, where it may be pulled."""

from __future__ import annotations

import json
from typing import Any, cast

from django.http import Http404, HttpResponse
from rest_framework.request import Request

from downloader.hub.errors import HubError
from downloader.hub.models import Repo
from downloader.hub.serving import door, holdings, pulling, refusals
from downloader.hub.serving.addresses import Reading
from downloader.hub.serving.holdings import Shelf
from downloader.library.errors import DownloadError
from jobs.api.answers import HANDOFF
from jobs.errors import NotAllowed
from jobs.models import Job
from jobs.states import LIVE

PULLED = "X-Forge-Pulled"  # how the front asks again after it has waited for a job
WAIT_S = 600


class Waiting(Exception):
    """The answer is held back until a job is over."""

    def __init__(self, job_id: object) -> None:
        super().__init__()
        self.response = HttpResponse()
        ticket = {"job_id": str(job_id), "seconds": WAIT_S, "header": PULLED.lower()}
        self.response[HANDOFF] = f"pull {json.dumps(ticket)}"


def found(request: Request, readings: list[Reading]) -> tuple[Reading, list[Repo]]:
    """The reading whose repository is tracked; else the likeliest, where it may be pulled."""
    if not readings:
        raise Http404
    for reading in readings:
        if repos := holdings.tracked(reading.repo_id):
            return reading, repos
    if not may_pull(request):
        raise refusals.no_repository(readings[0].repo_id)
    return readings[0], []


def standing(request: Request, repo_id: str, repos: list[Repo], revision: str) -> Shelf:
    """The commit of a revision; pulled first, where that is allowed."""
    on = holdings.shelf(repos, revision) if repos else None
    if on is not None:
        return on
    if may_pull(request) and request.method != "POST":
        _pull_repository(request, repo_id, revision)
    if not repos or all(repo.snapshot_id is None for repo in repos):
        raise refusals.no_repository(repo_id, _why(repos))
    raise refusals.no_revision(repo_id, revision)


def _why(repos: list[Repo]) -> str:
    said = next((repo.error_message for repo in repos if repo.error_message), "")
    return f"The source said: {said}" if said else ""


def _pull_repository(request: Request, repo_id: str, revision: str) -> None:
    if waited_for(request, "sync", f"{repo_id}@{revision}", repo_id) is not None:
        return
    try:
        job = pulling.repository(repo_id, revision, cast(Any, request.user))
    except (NotAllowed, HubError, DownloadError) as error:
        raise refusals.no_repository(repo_id, str(error)) from error
    raise Waiting(job.pk)


def waited_for(request: Request, type_name: str, what: str, repo_id: str) -> Job | None:
    """The job of this type that the client has waited for; 503 when that was not long enough. The
    header can be anybody's: a job that is not about this repository is none."""
    job = pulling.job(request.headers.get(PULLED, ""))
    if job is None or job.type != type_name or not pulling.is_about(job, repo_id):
        return None
    if job.status in LIVE:
        raise refusals.still_coming(what)
    return job


def may_pull(request: Request) -> bool:
    """Not by the session of a browser: any page can make one follow a link to here."""
    if request.auth is None:
        return False
    return pulling.may(request.user, door.key_scopes(request))
