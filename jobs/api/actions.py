"""Canceling a job and running it again."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import dead_letters, idempotency, kinds, submission
from jobs.api import documentation, examples, serializers
from jobs.api.access import JobView, closed_types, require_start, to_change
from jobs.api.answers import accepted, respond
from jobs.dead_letters import Outcome
from jobs.idempotency import Reply
from jobs.models import Job


class JobCancelView(JobView):
    error_codes = ("forbidden", "invalid_state")

    @extend_schema(
        operation_id="jobs_cancel",
        summary="Cancel a job",
        description="A queued job is canceled at once, a running one within seconds; what it made "
        "so far stays. A job that has ended: 409.",
        request=None,
        parameters=[documentation.LOCATION],
        responses={202: serializers.CreatedSerializer},
        examples=[examples.CREATED],
        tags=["jobs"],
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find_to_change(job_id)
        submission.cancel(job, by=request.user)
        job.refresh_from_db()
        return respond(accepted(job))


class JobRequeueView(JobView):
    serializer_class = serializers.RequeueSerializer
    error_codes = ("forbidden", "invalid_state", "rate_limited", "idempotency_conflict")

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """What may be sent depends on the job's type; the parser asks before the view runs."""
        if not getattr(self, "swagger_fake_view", False):
            kwargs["kind"] = kinds.get(self.find(self.kwargs["job_id"]).type)
        return super().get_serializer(*args, **kwargs)

    @extend_schema(
        operation_id="jobs_requeue",
        summary="Run a failed or canceled job again",
        description="Makes a new job of the same owner, which names the old one; `params` holds "
        "the parameters to change. A dead letter is taken off the list.",
        parameters=[documentation.IDEMPOTENCY, *documentation.CREATED],
        responses={202: serializers.CreatedSerializer},
        examples=[examples.REQUEUE, examples.CREATED],
        tags=["jobs"],
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find_to_change(job_id)
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        edits = wanted.validated_data["params"]
        require_start(request, kinds.get(job.type))
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope=f"jobs.requeue:{job.pk}",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda: accepted(dead_letters.again(job, edits, by=request.user)),
        )
        return respond(reply)


class RequeueDeadView(GenericAPIView[Job]):
    serializer_class = serializers.RequeueDeadSerializer
    scope = "jobs"
    queryset = Job.objects.none()
    error_codes = ("forbidden", "idempotency_conflict")

    @extend_schema(
        operation_id="jobs_requeue_dead",
        summary="Run dead letters again",
        description="Requeues jobs that used up their attempts, oldest first: staff anybody's, "
        "others their own; each new job belongs to the owner of the old one. Letters of types that "
        "the caller or its key may not start are passed over; to name such a `type` is 403. One "
        "that cannot run stays on the list and is named in `refused`. Repeat until `requeued` is "
        "empty.",
        parameters=[documentation.IDEMPOTENCY, documentation.REPLAYED],
        responses={200: serializers.RequeuedSerializer},
        examples=[examples.REQUEUE_DEAD, examples.REQUEUED],
        tags=["jobs"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if kind := kinds.table().get(wanted.validated_data.get("type", "")):
            require_start(request, kind)
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope="jobs.requeue_dead",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda: _requeue_dead(request, **wanted.validated_data),
        )
        return respond(reply)


def _requeue_dead(request: Request, limit: int, **filters: str) -> Reply:
    letters = to_change(request).dead().filter(**filters).exclude(type__in=closed_types(request))
    letters = letters.select_related("owner")
    outcome = dead_letters.requeue(letters.order_by("dead_at", "id")[:limit], by=request.user)
    return Reply(status.HTTP_200_OK, _told(outcome))


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "requeued": [
            {"id": str(old.pk), "job": dict(serializers.CreatedJobSerializer(new).data)}
            for old, new in outcome.requeued
        ],
        "refused": [
            {"id": str(job.pk), "code": error.code, "message": error.message}
            for job, error in outcome.refused
        ],
    }
