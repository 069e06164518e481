"""Images across jobs, newest job first: what a gallery shows, and taking an image out of it.

A page reads at most `SCANNED` jobs, however few of them have an image that was asked for; so it can
be short, even empty, and still have a next one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from jobs import leftovers
from jobs.errors import InvalidState, NotAllowed
from jobs.generation import links
from jobs.models import Artifact, Job, JobQuerySet
from jobs.states import TERMINAL
from registry import auditing

TYPE = "generate"
CHANGE = "jobs.change_job"
SCANNED = 1000
PREVIEWED = 50
# The order of a gallery: jobs as `job_by_owner` and `job_by_type` have them, then a job's items.
KEYSET = ("-job__created_at", "-job_id", "item_index", "id")
AFTER_ALL_ITEMS = 2_147_483_647
LOOKUPS = {
    "created_after": "created_at__gt",
    "created_before": "created_at__lt",
    "model_id": "model_id",
}

Lookups = Mapping[str, Any]

log = structlog.get_logger(__name__)


def jobs_of(owner_id: object | None, wanted: Mapping[str, Any]) -> Lookups:
    """Lookups of the jobs that may have an image of those wanted, of one owner or of everybody; an
    index has them in the gallery's order."""
    chosen = {LOOKUPS[name]: value for name, value in wanted.items() if name in LOOKUPS}
    # One of the two: given both, SQLite takes the index by type for somebody with few jobs.
    whose = {"type": TYPE} if owner_id is None else {"owner_id": owner_id}
    return {**whose, **chosen}


def last_job(of: Lookups, since: tuple[datetime, uuid.UUID] | None) -> Job | None:
    """Where a page that begins in the job `since` stops; None: it can read to the end."""
    jobs = Job.objects.filter(**of)
    if since is not None:
        at, job_id = since
        jobs = jobs.filter(created_at__lte=at).filter(Q(created_at__lt=at) | Q(id__lte=job_id))
    rows = jobs.order_by("-created_at", "-id").only("id", "created_at")
    return next(iter(rows[SCANNED - 1 : SCANNED]), None)


def down_to(job: Job) -> Q:
    """Of artifacts: those of this job and of the jobs before it in the order."""
    newer = Q(job__created_at__gt=job.created_at)
    return Q(job__created_at__gte=job.created_at) & (newer | Q(job_id__gte=job.pk))


def end_of(job: Job) -> Artifact:
    """Stands after every image of the job; it is no row."""
    return Artifact(job=job, item_index=AFTER_ALL_ITEMS)


def images(of: Lookups, *, words: str = "", seed: int | None = None) -> QuerySet[Artifact]:
    """Those of the jobs; every one of `words` stands in the prompt, letters in any case. Joined and
    not `IN` a query of jobs: the database walks the jobs' index and stops with the page."""
    joined = {f"job__{name}": value for name, value in of.items()}
    found = Artifact.objects.filter(**joined).select_related("job")
    for word in words.split():
        found = found.filter(job__params__prompt__icontains=word)
    return found if seed is None else found.filter(seed=seed)


def preview(model_id: uuid.UUID) -> str | None:
    """A link to the newest image that one of the latest jobs drew with the model, for the pages of
    staff (settings.MODEL_PREVIEW); None when there is none."""
    latest = Job.objects.filter(type=TYPE).order_by("-created_at", "-id")
    known = latest.values_list("pk", "model_id")[:SCANNED]
    jobs = [job_id for job_id, drawn_with in known if drawn_with == model_id][:PREVIEWED]
    newest = Artifact.objects.filter(job_id__in=jobs).order_by("-created_at", "-id").first()
    return links.link(newest, links.SHORTEST_S, "").url if newest else None


def remove(artifact_id: uuid.UUID, visible: JobQuerySet, by: Any) -> bool:
    """Forget an image, its file with it; False when there is none to see. InvalidState while its
    job is not over: another attempt would draw it again."""
    with transaction.atomic():
        artifact = Artifact.objects.filter(pk=artifact_id, job__in=visible).first()
        if artifact is None:
            return False
        job = Job.objects.select_for_update().only("status", "owner").get(pk=artifact.job_id)
        if job.owner_id != by.pk and not by.has_perm(CHANGE):
            raise NotAllowed(f"Another's images are removed with the permission {CHANGE}.")
        if job.status not in TERMINAL:
            raise InvalidState(f"Its job is {job.status}; cancel the job or wait for its end.")
        leftovers.forget_artifacts(Artifact.objects.filter(pk=artifact.pk))
        auditing.note(job, by, f"removed the image {artifact.item_index} ({artifact_id}).")
    log.info("image_removed", artifact_id=str(artifact_id), job_id=str(job.pk), by=str(by.pk))
    return True
