"""How a job is shown, and the answers that come again or come later."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC
from functools import cache
from typing import Any

from django.urls import reverse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import queueing
from jobs.api import queries, serializers
from jobs.idempotency import Reply
from jobs.models import Job
from registry.models import Model

HANDOFF = "X-Forge-Handoff"
PREFER_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*([0-9]{1,6})\s*(?:$|[,;])", re.IGNORECASE)
KEPT_IN = "jobs.create"  # where the Idempotency-Keys of new jobs are kept
NIL = uuid.UUID(int=0)


def shown(job: Job) -> dict[str, Any]:
    job.place = queueing.place(job)  # type: ignore[attr-defined]  # a fact of this answer only
    job.model = _model(job)  # type: ignore[attr-defined]
    return dict(serializers.JobSerializer(job).data)


def _model(job: Job) -> dict[str, Any] | None:
    """What draws; None for other jobs, and for a model that is not in the registry any more."""
    fields = ("id", "name", "version", "checkpoint_hash")
    return Model.objects.filter(pk=job.model_id).values(*fields).first() if job.model_id else None


def accepted(job: Job) -> Reply:
    """As CreatedSerializer would have it, written by hand: every POST needs it."""
    created_at = job.created_at.astimezone(UTC).isoformat(timespec="microseconds")
    answer = {
        "id": str(job.pk),
        "status": str(job.status),
        "type": job.type,
        "created_at": created_at.replace("+00:00", "Z"),
    }
    location = _address_of_a_job().replace(str(NIL), answer["id"])
    return Reply(status.HTTP_202_ACCEPTED, {"job": answer}, location)


@cache
def _address_of_a_job() -> str:
    return reverse("job", args=[NIL])


def respond(reply: Reply) -> Response:
    response = Response(reply.answer, reply.status)
    if reply.location:
        response["Location"] = reply.location
    if reply.replayed:
        response["Idempotent-Replayed"] = "true"
    return response


def held_back(
    request: Request,
    query: dict[str, Any],
    response: Response,
    job_id: str,
    *,
    wrap: str = "",
    view: str = "job",
) -> Response:
    """`response`, to be given when the job is done, if the caller asked to wait for that. `view`
    names the address that then shows it."""
    preferred = PREFER_WAIT.search(request.headers.get("Prefer", ""))
    longest = float(queries.LONGEST_WAIT_S)
    seconds = query.get("wait", min(float(preferred[1]), longest) if preferred else 0.0)
    if seconds <= 0 or not _may_wait(request):
        return response
    path = reverse(view, args=[job_id])
    ticket = {"job_id": job_id, "seconds": seconds, "path": path, "wrap": wrap}
    response[HANDOFF] = f"wait {json.dumps(ticket)}"
    if preferred and "wait" not in query:
        response["Preference-Applied"] = f"wait={seconds:.0f}"
    return response


def _may_wait(request: Request) -> bool:
    """A page of the browsable API is drawn at once, and a HEAD has no answer to hold back."""
    return request.method != "HEAD" and request.accepted_renderer.format == "json"
