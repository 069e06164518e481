"""How a job is shown, and the answers that come again or come later."""

from __future__ import annotations

import json
import re
from typing import Any

from django.urls import reverse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import queueing
from jobs.api import queries, serializers
from jobs.idempotency import Reply
from jobs.models import Job

HANDOFF = "X-Forge-Handoff"
PREFER_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*([0-9]{1,6})\s*(?:$|[,;])", re.IGNORECASE)


_created = serializers.CreatedJobSerializer()


def shown(job: Job) -> dict[str, Any]:
    job.place = queueing.place(job)  # type: ignore[attr-defined]  # a fact of this answer only
    job.model = None  # type: ignore[attr-defined]
    return dict(serializers.JobSerializer(job).data)


def accepted(job: Job) -> Reply:
    answer = {"job": dict(_created.to_representation(job))}
    return Reply(status.HTTP_202_ACCEPTED, answer, reverse("job", args=[job.pk]))


def respond(reply: Reply) -> Response:
    response = Response(reply.answer, reply.status)
    if reply.location:
        response["Location"] = reply.location
    if reply.replayed:
        response["Idempotent-Replayed"] = "true"
    return response


def held_back(
    request: Request, query: dict[str, Any], response: Response, job_id: str, wrap: str = ""
) -> Response:
    """`response`, to be given when the job is done, if the caller asked to wait for that."""
    preferred = PREFER_WAIT.search(request.headers.get("Prefer", ""))
    longest = float(queries.LONGEST_WAIT_S)
    seconds = query.get("wait", min(float(preferred[1]), longest) if preferred else 0.0)
    if seconds <= 0 or not _may_wait(request):
        return response
    path = reverse("job", args=[job_id])
    ticket = {"job_id": job_id, "seconds": seconds, "path": path, "wrap": wrap}
    response[HANDOFF] = f"wait {json.dumps(ticket)}"
    if preferred and "wait" not in query:
        response["Preference-Applied"] = f"wait={seconds:.0f}"
    return response


def _may_wait(request: Request) -> bool:
    """A page of the browsable API is drawn at once, and a HEAD has no answer to hold back."""
    return request.method != "HEAD" and request.accepted_renderer.format == "json"
