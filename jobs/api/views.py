"""Listing, creating and looking at jobs. A view checks what was sent, makes one call, and shows
the result."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import idempotency, kinds, submission
from jobs.api import documentation, examples, queries, serializers
from jobs.api.access import JobView, caller, require_scope, visible
from jobs.api.answers import KEPT_IN, accepted, held_back, respond, shown
from jobs.idempotency import Keep, Reply
from jobs.models import Job, JobQuerySet
from jobs.webhooks import hooks

LOOKUPS = {"created_after": "created_at__gt", "created_before": "created_at__lt"}


class JobsView(GenericAPIView[Job]):
    serializer_class = serializers.JobCreateSerializer
    query_serializer_class = {
        "GET": queries.JobQuerySerializer,
        "POST": queries.WaitQuerySerializer,
    }
    list_key = "jobs"
    scope = "jobs"
    queryset = Job.objects.none()
    error_codes = {
        "POST": ("forbidden", "idempotency_conflict", "rate_limited"),
        "GET": (),
    }
    query: dict[str, Any]

    @extend_schema(
        operation_id="jobs_list",
        summary="List jobs",
        description="Newest first. Staff see everybody's, others their own.",
        responses={200: serializers.JobSummarySerializer(many=True)},
        examples=[examples.SUMMARY],
        tags=["jobs"],
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(_filtered(visible(request), self.query))
        return self.get_paginated_response(serializers.JobSummarySerializer(page, many=True).data)

    @extend_schema(
        operation_id="jobs_create",
        summary="Create a job",
        description="Checks and stores the job and answers at once; a worker takes it from there. "
        "The fields beside `type` and `priority` are those of the type; a field of another type is "
        "refused. With `?wait=` or `Prefer: wait=N` the answer is held back until the job is done "
        "(200, the whole job) or the time is up (202).",
        parameters=[documentation.IDEMPOTENCY, documentation.PREFER, *documentation.CREATED],
        responses={202: serializers.CreatedSerializer, 200: serializers.FinishedSerializer},
        examples=[examples.CREATE, examples.CREATED, examples.FINISHED],
        tags=["jobs"],
    )
    def post(self, request: Request) -> Response:
        key = idempotency.checked(request.headers.get(idempotency.HEADER))
        wanted = serializers.JobCreateSerializer.shared().run_validation(request.data)
        require_scope(request, kinds.get(wanted["type"]))
        reply = idempotency.once_along(
            caller=str(request.user.pk),
            scope=KEPT_IN,
            key=key,
            body=request.data,
            work=lambda keep: self._submit(request, wanted, keep),
        )
        job_id = reply.answer["job"]["id"]
        return held_back(request, self.query, respond(reply), job_id, wrap="job")

    def _submit(self, request: Request, wanted: dict[str, Any], keep: Keep) -> Reply:
        named = wanted["webhook"]
        job = submission.submit(
            wanted["type"],
            wanted["params"],
            caller(request),
            priority=wanted["priority"],
            webhook=hooks.parse(named, "webhook.") if named else None,
            along=lambda job: keep(accepted(job)),
        )
        return accepted(job)


class JobDetailView(JobView):
    query_serializer_class = {"GET": queries.WaitQuerySerializer}

    @extend_schema(
        operation_id="jobs_get",
        summary="Look at a job",
        description="With its parameters, its steps and, while it waits, its place in the queue. "
        "`?wait=` holds the answer back until the job is done or the time is up.",
        parameters=[documentation.PREFER, documentation.PREFERENCE_APPLIED],
        responses={200: serializers.JobSerializer},
        examples=[examples.JOB],
        tags=["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find(job_id)
        return held_back(request, self.query, Response(shown(job)), str(job.pk))


def _filtered(jobs: JobQuerySet, query: dict[str, Any]) -> JobQuerySet:
    wanted = {LOOKUPS.get(name, name): value for name, value in query.items() if name != "dead"}
    # Parameters and tracebacks can be long, and a list shows neither.
    jobs = jobs.filter(**wanted).only(*serializers.JobSummarySerializer.Meta.fields)
    return jobs.dead() if query.get("dead") else jobs
