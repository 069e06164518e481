"""Which jobs wait for or work on tracked repositories right now."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.db.models.fields.json import KT

from downloader import kinds
from downloader.hub.models import RepoFile
from jobs.models import Job
from jobs.states import LIVE, State

# Files that were chosen by id: their first one says whose they are, without reading ten thousand.
FIRST_FILE = "params__artifact_ids__0"
MOST_BY_FILES = 200


@dataclass(frozen=True)
class Work:
    """`job_id` is None for who may not see the job."""

    job_id: uuid.UUID | None
    kind: str
    status: str
    progress: float


def on(repo_ids: Collection[uuid.UUID], viewer: Any) -> dict[uuid.UUID, Work]:
    """One job for each repository that has any: one that runs before one that waits, then the
    oldest. The cost is the same for one repository and for a page of them. Without a viewer it is
    the operator's command that looks, who sees all."""
    if not repo_ids:
        return {}
    rows = sorted([*_named(repo_ids), *_by_files(repo_ids)], key=_first_first)
    found: dict[uuid.UUID, Work] = {}
    for about, row in rows:
        found.setdefault(about, _told(row, viewer))
    return found


Row = dict[str, Any]
SHOWN = ("pk", "type", "status", "progress", "owner_id", "created_at")


def _named(repo_ids: Collection[uuid.UUID]) -> Iterable[tuple[uuid.UUID, Row]]:
    """Jobs that name it; a look for news names a list, and one that was asked for has one entry."""
    wanted = [str(id_) for id_ in repo_ids]
    about = Q(params__repo_id__in=wanted) | Q(params__repo_ids__0__in=wanted)
    alone = Q(params__repo_ids__1__isnull=True)
    names = {"one": KT("params__repo_id"), "first": KT("params__repo_ids__0")}
    for row in _ongoing().filter(about & alone).annotate(**names).values(*SHOWN, *names):
        yield uuid.UUID(row["one"] or row["first"]), row


def _by_files(repo_ids: Collection[uuid.UUID]) -> Iterable[tuple[uuid.UUID, Row]]:
    chosen = _ongoing().filter(**{f"{FIRST_FILE}__isnull": False})
    first_first = chosen.order_by("-status", "created_at")  # "running" stands after "queued"
    rows = list(first_first.annotate(file=KT(FIRST_FILE)).values(*SHOWN, "file")[:MOST_BY_FILES])
    if not rows:
        return
    files = RepoFile.objects.filter(pk__in={row["file"] for row in rows})
    owners = files.filter(snapshot__repo__in=repo_ids).values_list("pk", "snapshot__repo_id")
    by_file = {str(file): repo for file, repo in owners}
    yield from ((by_file[row["file"]], row) for row in rows if row["file"] in by_file)


def _ongoing() -> Any:
    return Job.objects.filter(status__in=LIVE, type__in=kinds.TYPES)


def _first_first(entry: tuple[uuid.UUID, Row]) -> tuple[bool, Any]:
    _, row = entry
    return row["status"] != State.RUNNING, row["created_at"]


def _told(row: Row, viewer: Any) -> Work:
    may_see = viewer is None or viewer.is_staff or row["owner_id"] == viewer.pk
    return Work(row["pk"] if may_see else None, row["type"], row["status"], row["progress"])
