"""Starting downloads, looking at them, following them, stopping them, and starting them again."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from downloader import showing
from downloader.api import examples, serializers
from downloader.api.posting import PARAMETERS, Along, JobPost
from downloader.hub import choosing
from downloader.hub.api import examples as hub_examples
from downloader.hub.api.serializers import DownloadPostSerializer
from downloader.kinds import MIRROR, TYPES
from downloader.models import DownloadFile
from jobs import dead_letters, idempotency, submission
from jobs import kinds as job_kinds
from jobs.api import documentation, follow, queries
from jobs.api.access import JobView, caller, visible
from jobs.api.answers import held_back, respond
from jobs.idempotency import Reply
from jobs.models import Job


class DownloadsList(GenericAPIView[Any]):
    query_serializer_class: Any = {
        "GET": serializers.DownloadQuerySerializer,
        "POST": queries.WaitQuerySerializer,
    }
    list_key = "downloads"
    scope = "models"
    queryset: Any = Job.objects.none()
    query: dict[str, Any]

    def page(self, request: Request) -> Response:
        wanted = {{"kind": "type"}.get(name, name): value for name, value in self.query.items()}
        page = self.paginate_queryset(showing.downloads(visible(request)).filter(**wanted))
        shown = [showing.summary(job) for job in page or []]
        serialized = serializers.DownloadSummarySerializer(shown, many=True).data
        return self.get_paginated_response(serialized)


class DownloadsView(DownloadsList, JobPost):
    serializer_class = DownloadPostSerializer
    type_name = MIRROR.name
    error_codes = {"POST": (*JobPost.error_codes, "already_downloaded")}  # type: ignore[assignment]

    @extend_schema(
        operation_id="downloads_list",
        summary="List downloads",
        description="Newest first. Staff see everybody's, others their own.",
        responses={200: serializers.DownloadSummarySerializer(many=True)},
        examples=[examples.SUMMARY],
        tags=["downloads"],
    )
    def get(self, request: Request) -> Response:
        return self.page(request)

    @extend_schema(
        operation_id="downloads_create",
        summary="Download files of a repository",
        description="Registers the repository if it is not tracked, fetches, verifies and shows "
        "the selected files below the models root. 409 when all of them are here, unless `force`. "
        "Needs the permission `downloader.add_download`. With `?wait=` the answer is held back "
        "until it is done.",
        parameters=PARAMETERS,
        responses={
            202: serializers.CreatedDownloadSerializer,
            200: serializers.DownloadDetailSerializer,
        },
        examples=[hub_examples.SELECTION, examples.CREATED, examples.DETAIL],
        tags=["downloads"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.wanted(request)

        def make(along: Along) -> Job:
            return self.submitted(choosing.asked_for(wanted, by=request.user), along)

        return self.start(request, "downloads.create", make, accepted)


class OneDownload(JobView):
    """A view of one download: a job of another type is not there."""

    scope = "models"

    def find(self, job_id: uuid.UUID) -> Job:
        job = super().find(job_id)
        if job.type not in TYPES:
            self.found = None
            raise Http404
        return job


class DownloadView(OneDownload):
    query_serializer_class = {"GET": queries.WaitQuerySerializer}

    @extend_schema(
        operation_id="downloads_get",
        summary="Look at a download",
        description="With its bytes, its files by state and the last lines of its log. `?wait=` "
        "holds the answer back until it is done or the time is up.",
        parameters=[documentation.PREFER, documentation.PREFERENCE_APPLIED],
        responses={200: serializers.DownloadDetailSerializer},
        examples=[examples.DETAIL],
        tags=["downloads"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find(job_id)
        shown = serializers.DownloadDetailSerializer(showing.detail(job)).data
        return held_back(request, self.query, Response(shown), str(job.pk), view="download")


class FilesView(OneDownload):
    list_key = "files"
    keyset = ("path",)

    @extend_schema(
        operation_id="downloads_files",
        summary="A download's files",
        description="By path, with the state and the bytes of each.",
        responses={200: serializers.DownloadFileSerializer(many=True)},
        examples=[examples.FILE],
        tags=["downloads"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        files = DownloadFile.objects.filter(download_id=self.find(job_id).pk)
        page = self.paginate_queryset(files)  # type: ignore[arg-type]  # of another model
        shown = serializers.DownloadFileSerializer(page, many=True)  # type: ignore[arg-type]
        return self.get_paginated_response(shown.data)


class StreamView(OneDownload, follow.JobStreamView):
    @follow.streamed(
        "downloads_stream",
        "Follow a download",
        "The events of its job; `progress` also carries `bytes_done`, `bytes_total`, `rate_bps`, "
        "`eta_s` and `files`.",
        ["downloads"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        return super().get(request, job_id)


class CancelView(OneDownload):
    error_codes = ("forbidden", "invalid_state")

    @extend_schema(
        operation_id="downloads_cancel",
        summary="Stop a download",
        description="A queued one at once, a running one within seconds. What was fetched is kept, "
        "and a retry goes on from there. A download that has ended: 409.",
        request=None,
        parameters=[documentation.LOCATION],
        responses={202: serializers.CreatedDownloadSerializer},
        examples=[examples.CREATED],
        tags=["downloads"],
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find_to_change(job_id)
        submission.cancel(job, by=request.user)
        job.refresh_from_db()
        return respond(accepted(job))


class RetryView(OneDownload):
    error_codes = ("forbidden", "invalid_state", "rate_limited", "idempotency_conflict")

    @extend_schema(
        operation_id="downloads_retry",
        summary="Start a failed or stopped download again",
        description="Makes a new download that goes on where the old one ended.",
        request=None,
        parameters=[documentation.IDEMPOTENCY, *documentation.CREATED],
        responses={202: serializers.CreatedDownloadSerializer},
        examples=[examples.CREATED],
        tags=["downloads"],
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find_to_change(job_id)
        # Running it again is starting it, also where it stays another's.
        submission.check_permission(job_kinds.get(job.type), caller(request))
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope=f"downloads.retry:{job.pk}",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda: accepted(dead_letters.again(job, by=request.user)),
        )
        return respond(reply)


def accepted(job: Job) -> Reply:
    answer = serializers.CreatedDownloadSerializer({"download_id": job.pk, "status": job.status})
    return Reply(status.HTTP_202_ACCEPTED, dict(answer.data), f"/v1/downloads/{job.pk}")
