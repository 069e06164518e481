"""The calls about jobs. A view checks what was sent, makes one call, and shows the result."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any, cast

from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import idempotency, kinds, queueing, submission
from jobs.api import examples, serializers
from jobs.errors import InvalidParams, NotAllowed
from jobs.idempotency import Reply
from jobs.models import Event, Job, JobQuerySet
from jobs.watching import lines

HANDOFF = "X-Forge-Handoff"
SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
PREFER_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*([0-9]{1,6})\s*(?:$|[,;])")
IDEMPOTENCY = OpenApiParameter(
    idempotency.HEADER,
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 printable ASCII characters. Sent again within 24 h with the same body, "
    "the first answer is given again (`Idempotent-Replayed: true`); with another body: 409.",
)
PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description="`wait=N` is the same as `?wait=N`."
)


class JobsView(GenericAPIView[Job]):
    serializer_class = serializers.JobCreateSerializer
    query_serializer_class = {
        "GET": serializers.JobQuerySerializer,
        "POST": serializers.WaitQuerySerializer,
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
        page = self.paginate_queryset(_filtered(_visible(request), self.query))
        return self.get_paginated_response(serializers.JobSummarySerializer(page, many=True).data)

    @extend_schema(
        operation_id="jobs_create",
        summary="Create a job",
        description="Checks and stores the job and answers at once; a worker takes it from there. "
        "The fields beside `type` and `priority` are those of the type.",
        parameters=[IDEMPOTENCY, PREFER],
        responses={202: serializers.CreatedSerializer},
        examples=[examples.CREATE, examples.CREATED],
        tags=["jobs"],
    )
    def post(self, request: Request) -> HttpResponseBase:
        key = idempotency.checked(request.headers.get(idempotency.HEADER))
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope="jobs.create",
            key=key,
            body=request.data,
            work=lambda: self._submit(request, wanted.validated_data),
        )
        response = Response(reply.answer, reply.status, headers={"Location": reply.location})
        if reply.replayed:
            response["Idempotent-Replayed"] = "true"
        job_id = reply.answer["job"]["id"]
        return _wait(request, self.query, response, job_id, wrap="job")

    def _submit(self, request: Request, wanted: dict[str, Any]) -> Reply:
        job = submission.submit(
            wanted["type"], wanted["params"], _caller(request), priority=wanted["priority"]
        )
        return _accepted(job)


class JobView(GenericAPIView[Job]):
    scope = "jobs"
    queryset = Job.objects.none()
    query: dict[str, Any]

    def find(self, job_id: uuid.UUID) -> Job:
        job = _visible(self.request).filter(id=job_id).first()
        if job is None:
            raise Http404
        return job


class JobDetailView(JobView):
    query_serializer_class = {"GET": serializers.WaitQuerySerializer}

    @extend_schema(
        operation_id="jobs_get",
        summary="Look at a job",
        description="With its parameters, its steps and, while it waits, its place in the queue. "
        "`?wait=` holds the answer back until the job is done or the time is up.",
        parameters=[PREFER],
        responses={200: serializers.JobSerializer},
        examples=[examples.JOB],
        tags=["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        job = self.find(job_id)
        response = Response(shown(job))
        return _wait(request, self.query, response, str(job.id))


class JobCancelView(JobView):
    error_codes = ("invalid_state",)

    @extend_schema(
        operation_id="jobs_cancel",
        summary="Cancel a job",
        description="A queued job is canceled at once, a running one within seconds; what it made "
        "so far stays. A job that has ended: 409.",
        request=None,
        responses={202: serializers.CreatedSerializer},
        examples=[examples.CREATED],
        tags=["jobs"],
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find(job_id)
        submission.cancel(job)
        job.refresh_from_db()
        return _response(_accepted(job))


class JobRequeueView(JobView):
    serializer_class = serializers.RequeueSerializer
    error_codes = ("invalid_state", "rate_limited", "idempotency_conflict")

    @extend_schema(
        operation_id="jobs_requeue",
        summary="Run a failed or canceled job again",
        description="Makes a new job with the same or other parameters, which names the old one; "
        "a dead letter is taken off the list.",
        parameters=[IDEMPOTENCY],
        responses={202: serializers.CreatedSerializer},
        examples=[examples.REQUEUE, examples.CREATED],
        tags=["jobs"],
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find(job_id)
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope=f"jobs.requeue:{job.id}",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda: _accepted(
                submission.requeue(job, _caller(request), wanted.validated_data.get("params"))
            ),
        )
        return _response(reply)


class JobProgressView(JobView):
    @extend_schema(
        operation_id="jobs_progress",
        summary="How far a job is",
        description="The mean over its items, each going through the same weighted stages.",
        responses={200: serializers.ProgressSerializer},
        examples=[examples.PROGRESS],
        tags=["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find(job_id)
        state = {"items": [], "stages": [], **job.progress_state}
        return Response({"progress": job.progress, "status": job.status, **state})


class JobLogsView(JobView):
    query_serializer_class = {"GET": serializers.LogQuerySerializer}

    @extend_schema(
        operation_id="jobs_logs",
        summary="A job's log",
        description="One JSON object a line, oldest first.",
        responses={(200, NDJSON): OpenApiResponse(OpenApiTypes.STR, "The lines.")},
        examples=[examples.LOG],
        tags=["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        job = self.find(job_id)
        content = b"".join(lines.as_ndjson(row) for row in _log_rows(job, self.query))
        return HttpResponse(content, content_type=NDJSON, headers={"Cache-Control": "no-store"})


class JobStreamView(JobView):
    query_serializer_class = {"GET": serializers.StreamQuerySerializer}

    @extend_schema(
        operation_id="jobs_stream",
        summary="Follow a job",
        description="Server-sent events `progress`, `log`, `artifact`, `error` and a last `end`. "
        "Every event has an id; `Last-Event-ID` (or `since_id`) resumes after it, nothing lost and "
        "nothing twice. After the end of a job that was seen whole: 204.",
        parameters=[OpenApiParameter("Last-Event-ID", int, OpenApiParameter.HEADER)],
        responses={(200, SSE): OpenApiResponse(OpenApiTypes.STR, "The events."), 204: None},
        examples=[examples.STREAM],
        tags=["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        job = self.find(job_id)
        after = _resume_after(request, self.query)
        if job.finished_at is not None and after > job.last_seq:
            return HttpResponse(status=status.HTTP_204_NO_CONTENT)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = HttpResponse(content_type=SSE, headers=headers)
        response[HANDOFF] = f"stream {json.dumps({'job_id': str(job.id), 'after': after})}"
        return response


class QueuesView(GenericAPIView[Any]):
    scope = "admin"

    @extend_schema(
        operation_id="queues_list",
        summary="The queues",
        description="Depth, running jobs, workers, and whether a queue is paused. For staff.",
        responses={200: serializers.QueueSerializer(many=True)},
        examples=[examples.QUEUES],
        tags=["queues"],
    )
    def get(self, request: Request) -> Response:
        _require_staff(request)
        return Response({"queues": queueing.overview()})


class QueuePauseView(GenericAPIView[Any]):
    serializer_class = serializers.PauseSerializer
    scope = "admin"

    @extend_schema(
        operation_id="queues_pause",
        summary="Pause a queue",
        description="Starts nothing new; what runs goes on. Wait for `running` to reach 0 and the "
        "queue is drained.",
        responses={204: None},
        examples=[examples.PAUSE],
        tags=["queues"],
    )
    def post(self, request: Request, name: str) -> Response:
        _require_staff(request)
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        queueing.pause(_queue(name), wanted.validated_data["reason"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class QueueResumeView(GenericAPIView[Any]):
    scope = "admin"

    @extend_schema(
        operation_id="queues_resume",
        summary="Resume a queue",
        description="Workers take jobs from it again.",
        request=None,
        responses={204: None},
        tags=["queues"],
    )
    def post(self, request: Request, name: str) -> Response:
        _require_staff(request)
        queueing.resume(_queue(name))
        return Response(status=status.HTTP_204_NO_CONTENT)


def shown(job: Job) -> dict[str, Any]:
    job.place = queueing.place(job)  # type: ignore[attr-defined]  # a fact of this answer only
    job.model = None  # type: ignore[attr-defined]
    return dict(serializers.JobSerializer(job).data)


def _caller(request: Request) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)


def _visible(request: Request) -> JobQuerySet:
    return Job.objects.visible_to(request.user)


def _require_staff(request: Request) -> None:
    if not getattr(request.user, "is_staff", False):
        raise NotAllowed("Queues are for staff.")


def _queue(name: str) -> str:
    if name not in kinds.QUEUES:
        raise Http404
    return name


def _accepted(job: Job) -> Reply:
    answer = {"job": dict(serializers.CreatedJobSerializer(job).data)}
    return Reply(status.HTTP_202_ACCEPTED, answer, f"/v1/jobs/{job.id}")


def _response(reply: Reply) -> Response:
    response = Response(reply.answer, reply.status, headers={"Location": reply.location})
    if reply.replayed:
        response["Idempotent-Replayed"] = "true"
    return response


def _filtered(jobs: JobQuerySet, query: dict[str, Any]) -> JobQuerySet:
    lookups = {"created_after": "created_at__gt", "created_before": "created_at__lt"}
    wanted = {lookups.get(name, name): value for name, value in query.items() if name != "dead"}
    jobs = jobs.filter(**wanted)
    return jobs.dead() if query.get("dead") else jobs


def _log_rows(job: Job, query: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    rows = Event.objects.filter(job=job)
    if "since_ts" in query:
        rows = rows.filter(ts__gt=query["since_ts"])
    if "tail" in query:
        last = rows.order_by("-seq").values_list(*lines.FIELDS)[: query["tail"]]
        return reversed(list(last))
    return rows.order_by("seq").values_list(*lines.FIELDS).iterator(chunk_size=1000)


def _resume_after(request: Request, query: dict[str, Any]) -> int:
    sent = request.headers.get("Last-Event-ID", "")
    if not sent:
        return int(query.get("since_id", 0))
    if not sent.isascii() or not sent.isdecimal() or len(sent) > 10:
        raise InvalidParams({"Last-Event-ID": ["Takes the id of an event of this job."]})
    return int(sent)


def _wait(
    request: Request, query: dict[str, Any], response: Response, job_id: str, wrap: str = ""
) -> Response:
    preferred = PREFER_WAIT.search(request.headers.get("Prefer", ""))
    seconds = query.get("wait", float(preferred[1]) if preferred else 0.0)
    if seconds > 0:
        seconds = min(seconds, float(serializers.LONGEST_WAIT_S))
        ticket = {"job_id": job_id, "seconds": seconds, "path": f"/v1/jobs/{job_id}", "wrap": wrap}
        response[HANDOFF] = f"wait {json.dumps(ticket)}"
        if preferred:
            response["Preference-Applied"] = f"wait={preferred[1]}"
    return response
