"""What the admin's log says of work that somebody sets going: jobs of this room, and what a command
does here and now in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.admin.models import ADDITION
from django.db.models import Model as Row

from downloader import kinds
from downloader.hub.models import Repo, RepoFile
from jobs.models import Job
from registry import auditing
from registry.models import Model

WORDS = {
    kinds.DOWNLOAD.name: "download",
    kinds.VERIFY.name: "verification",
    kinds.SYNC.name: "sync",
    kinds.MIRROR.name: "download",
    kinds.INSTALL.name: "installation",
    kinds.WATCH.name: "look for news",
    kinds.UPDATE.name: "update",
    kinds.SCAN.name: "scan",
    kinds.HUB_VERIFY.name: "verification",
    kinds.SCRUB.name: "verification",
}
PARTICULARS = ("ref", "name", "version", "kind", "path", "revision", "commit", "enable")
SWITCHES = ("force", "repair")  # worth a word where they are on
EVERYTHING = "Everything on the disk"


def started(job: Job, by: Any) -> None:
    """Stands at the repository or the model that the job is about, else at the job."""
    if by is None:
        return
    thing, word = _about(job.params), WORDS[job.type]
    told = _particulars(job.params, thing)
    if thing is None:
        auditing.note(job, by, auditing.sentence(f"{word} started", *told), ADDITION)
    else:
        auditing.note(thing, by, auditing.sentence(f"{word} started as job {job.pk}", *told))


def begun(type_name: str, params: Mapping[str, Any], by: Any) -> None:
    """The same work without a job: a command does it."""
    if by is None:
        return
    thing = _about(params)
    message = auditing.sentence(f"{WORDS[type_name]} started", *_particulars(params, thing))
    if thing is None:
        auditing.note_place(Repo, EVERYTHING, by, message)
    else:
        auditing.note(thing, by, message)


def _about(params: Mapping[str, Any]) -> Row | None:
    """None for a job about several things, or about one that is not here yet."""
    if params.get("model_id"):
        return Model.objects.filter(pk=params["model_id"]).first()
    ids = [params["repo_id"]] if params.get("repo_id") else params.get("repo_ids") or ()
    repos = Repo.objects.filter(pk__in=ids)
    if params.get("artifact_ids"):
        files = RepoFile.objects.filter(pk__in=params["artifact_ids"])
        repos = Repo.objects.filter(pk__in=files.values("snapshot__repo"))
    found = repos[:2]
    return found[0] if len(found) == 1 else None


def _particulars(params: Mapping[str, Any], thing: Row | None) -> tuple[str, ...]:
    files, paths = params.get("artifact_ids") or (), params.get("selection") or ()
    counts = {"files": len(files) or None, "paths": len(paths) or None}
    given = {name: params.get(name) for name in PARTICULARS}
    switched = {name: True for name in SWITCHES if params.get(name)}
    return auditing.facts({**given, **counts, **switched}), _update(params, thing)


def _update(params: Mapping[str, Any], thing: Row | None) -> str:
    if not params.get("from_commit") or not isinstance(thing, Repo):
        return ""
    return auditing.changes({"commit": params["from_commit"]}, {"commit": thing.update_commit})
