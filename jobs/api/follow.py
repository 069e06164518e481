"""Watching a job: how far it is, what it said, and its events as they happen."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeVar

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import logbook
from jobs.api import examples, queries, serializers
from jobs.api.access import JobView
from jobs.api.answers import HANDOFF
from jobs.errors import InvalidParams
from jobs.logbook import Wanted
from jobs.models import Job

LAST_EVENT_ID = "Last-Event-ID"
F = TypeVar("F", bound=Callable[..., Any])
ID_FORM = re.compile("[0-9]{1,10}")


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
    query_serializer_class = {"GET": queries.LogQuerySerializer}

    @extend_schema(
        operation_id="jobs_logs",
        summary="A job's log",
        description="One JSON object a line, oldest first, up to the moment of the request.",
        responses={(200, examples.NDJSON): OpenApiResponse(OpenApiTypes.STR, "The lines.")},
        examples=[examples.LOG],
        tags=["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        job = self.find(job_id)
        if request.method == "HEAD":
            return _log_answer(iter(()))
        return _log_answer(logbook.pages(job, Wanted(**self.query)))


def streamed(
    operation_id: str, summary: str, description: str, tags: list[str]
) -> Callable[[F], F]:
    """The documentation of an operation that streams a job's events."""
    decorator: Callable[[F], F] = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=f"{description} Every event has an id; `Last-Event-ID` (or `since_id`) resumes "
        "after it, nothing lost and nothing twice. An id beyond those that were given out is no "
        "place to resume: the stream begins at the beginning. After the end of what was seen "
        "whole: 204, which tells a browser not to connect again.",
        parameters=[
            OpenApiParameter(
                LAST_EVENT_ID, {"type": "integer", "minimum": 0}, OpenApiParameter.HEADER
            )
        ],
        responses={
            (200, examples.SSE): OpenApiResponse(
                serializers.StreamedEventSerializer, "Event after event; the schema is of one."
            ),
            204: OpenApiResponse(description="There is nothing more to come."),
        },
        examples=[examples.STREAM],
        tags=tags,
    )
    return decorator


class JobStreamView(JobView):
    query_serializer_class = {"GET": queries.StreamQuerySerializer}

    @streamed(
        "jobs_stream",
        "Follow a job",
        "Server-sent events `progress`, `log`, `artifact`, `error` and a last `end`.",
        ["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        job = self.find(job_id)
        after = _resume_after(request, self.query)
        if _seen_whole(job, after):
            return HttpResponse(status=status.HTTP_204_NO_CONTENT)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = HttpResponse(content_type=examples.SSE, headers=headers)
        if request.method != "HEAD":
            ticket = {"job_id": str(job.pk), "after": after}
            response[HANDOFF] = f"stream {json.dumps(ticket)}"
        return response


def _log_answer(pages: Iterator[bytes]) -> HttpResponseBase:
    """Most logs are one page and get a length; a longer one is sent as it is read."""
    first, second = next(pages, b""), next(pages, None)
    headers = {"Cache-Control": "no-store"}
    if second is None:
        return HttpResponse(first, content_type=examples.NDJSON, headers=headers)
    return StreamingHttpResponse(
        chain((first, second), pages), content_type=examples.NDJSON, headers=headers
    )


def _seen_whole(job: Job, after: int) -> bool:
    """Whether the client has the `end` event too: its id comes after every other."""
    return job.finished_at is not None and after == job.last_seq + 1


def _resume_after(request: Request, query: dict[str, Any]) -> int:
    sent = request.headers.get(LAST_EVENT_ID, "")
    if not sent:
        return int(query.get("since_id", 0))
    if not ID_FORM.fullmatch(sent) or int(sent) > queries.LARGEST_EVENT_ID:
        raise InvalidParams({LAST_EVENT_ID: ["Takes the id of an event of this job."]})
    return int(sent)
