"""Drawing a job's images again, seed by seed."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import idempotency, submission
from jobs.api import documentation
from jobs.api import examples as shared
from jobs.api.access import JobView, caller
from jobs.api.answers import accepted, respond
from jobs.api.serializers import CreatedSerializer
from jobs.generation import replaying


class JobReplayView(JobView):
    error_codes = ("invalid_state", "rate_limited", "idempotency_conflict")

    @extend_schema(
        operation_id="jobs_replay",
        summary="Draw a job's images again",
        description="Makes a new job of yours with the parameters of the old one and the seed that "
        "each of its finished images had, also where those were random. With the same model, "
        "engine and device it draws the same pictures. A job without images: 409.",
        request=None,
        parameters=[documentation.IDEMPOTENCY, *documentation.CREATED],
        responses={202: CreatedSerializer},
        examples=[shared.CREATED],
        tags=["jobs"],
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find(job_id)
        reply = idempotency.once_along(
            caller=str(request.user.pk),
            scope=f"jobs.replay:{job.pk}",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda keep: accepted(
                submission.submit(
                    job.type,
                    replaying.params_of(job),
                    caller(request),
                    requeued_from=job,
                    along=lambda new: keep(accepted(new)),
                )
            ),
        )
        return respond(reply)
