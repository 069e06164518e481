"""Looking for news of a tracked repository, and approving an update."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from downloader.hub import registering, updating
from downloader.hub.api.reconcile import HubJobSerializer, NothingSerializer
from downloader.hub.models import Repo
from downloader.kinds import UPDATE, WATCH
from jobs import idempotency, submission
from jobs import kinds as job_kinds
from jobs.api import documentation
from jobs.api.access import caller
from jobs.api.answers import respond
from jobs.idempotency import Reply
from jobs.models import Job

STARTED = OpenApiExample(
    "The job",
    value={
        "job_id": "6d4be3a1-0f5c-4d1c-8d5e-0e1a6a7c9b20",
        "status": "queued",
        "message": "stabilityai/sdxl-turbo@main is being looked at.",
    },
    response_only=True,
    status_codes=["202"],
)


class _RepoPost(GenericAPIView[Repo]):
    """A POST about one tracked repository that becomes a job."""

    queryset = Repo.objects.none()
    serializer_class = NothingSerializer
    scope = "models"
    type_name: str
    verb: str  # of the scope that keys are kept in

    def submit(
        self, request: Request, repo_id: uuid.UUID, make: Callable[[Repo], Reply]
    ) -> Response:
        submission.check_permission(job_kinds.get(self.type_name), caller(request))
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        repo = registering.get(repo_id)
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope=f"hub.{self.verb}:{repo.pk}",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda: make(repo),
        )
        return respond(reply)


class CheckView(_RepoPost):
    type_name = WATCH.name
    verb = "check"
    error_codes = ("forbidden", "not_found", "rate_limited", "idempotency_conflict")

    @extend_schema(
        operation_id="hub_check",
        summary="Look for news of a repository",
        description="Asks its source where the branch stands. When it has moved, the difference "
        "is written down as its `update`; nothing is fetched, unless the repository has "
        "`auto_sync`. Needs the permission `downloader.add_download`.",
        request=None,
        parameters=[documentation.IDEMPOTENCY, documentation.LOCATION, documentation.REPLAYED],
        responses={202: HubJobSerializer},
        examples=[STARTED],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        def make(repo: Repo) -> Reply:
            job = submission.submit(WATCH.name, {"repo_ids": [str(repo.pk)]}, caller(request))
            return _accepted(job, f"{repo} is being looked at.")

        return self.submit(request, repo_id, make)


class UpdateView(_RepoPost):
    type_name = UPDATE.name
    verb = "update"
    error_codes = (
        "forbidden",
        "not_found",
        "invalid_state",
        "rate_limited",
        "idempotency_conflict",
    )

    @extend_schema(
        operation_id="hub_update",
        summary="Approve an update",
        description="Brings the branch to its newest commit: the files that were downloaded "
        "before, and new ones of the same sort beside them. Only bytes that changed are fetched, "
        "and the older commit stays under its own name. 409 when no update is known. Needs the "
        "permission `downloader.add_download`.",
        request=None,
        parameters=[documentation.IDEMPOTENCY, documentation.LOCATION, documentation.REPLAYED],
        responses={202: HubJobSerializer},
        examples=[STARTED],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        def make(repo: Repo) -> Reply:
            job = updating.approve(repo, caller(request))
            return _accepted(job, f"{repo} is being updated to {repo.update_commit[:12]}.")

        return self.submit(request, repo_id, make)


def _accepted(job: Job, message: str) -> Reply:
    answer = HubJobSerializer({"job_id": job.pk, "status": job.status, "message": message})
    return Reply(status.HTTP_202_ACCEPTED, dict(answer.data), f"/v1/downloads/{job.pk}")
