"""What the calls that start work of the hub share: one job for one key, refusals that a repeated
request does not meet, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from downloader.hub.api.reconcile import HubJobSerializer
from downloader.hub.errors import HubError
from downloader.hub.models import Repo
from downloader.library.errors import DownloadError
from jobs import idempotency, rows, submission
from jobs import kinds as job_kinds
from jobs.api.access import caller
from jobs.errors import JobError
from jobs.idempotency import Keep, Reply
from jobs.models import Job

Answering = Callable[[Job], Reply]


class Declined(JobError):
    """A refusal of the hub. Who repeats a request that was granted gets the first answer: of the
    errors, idempotency looks only behind those of jobs."""

    def __init__(self, error: HubError | DownloadError) -> None:
        super().__init__(error.message, details=dict(error.details))
        self.code = error.code


class HubPost(GenericAPIView[Repo]):
    """A POST that becomes a job."""

    queryset = Repo.objects.none()
    scope = "models"
    type_name: str
    error_codes: tuple[str, ...] = ("forbidden", "idempotency_conflict", "rate_limited")
    query: dict[str, Any]

    def wanted(self, request: Request) -> dict[str, Any]:
        """The body's values. Who may not start such a job is told so first."""
        submission.check_permission(job_kinds.get(self.type_name), caller(request))
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        return dict(body.to_representation(body.validated_data))

    def start(
        self,
        request: Request,
        scope: str,
        params: Callable[[], Mapping[str, Any]],
        answering: Answering,
    ) -> Reply:
        """The reply to one job with what `params` gives, or the one kept under the same key."""

        def make(keep: Keep) -> Reply:
            try:
                given = {name: value for name, value in params().items() if value is not None}
            except (HubError, DownloadError) as error:
                raise Declined(error) from error
            with transaction.atomic():
                job = submission.submit(self.type_name, given, caller(request))
                reply = answering(job)
                rows.insert(keep(reply))
            return reply

        return idempotency.once_along(
            caller=str(request.user.pk),
            scope=scope,
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=make,
        )


def accepted(message: str) -> Answering:
    """202 with the hub's words for a job."""

    def answer(job: Job) -> Reply:
        facts = {"job_id": job.pk, "status": job.status, "message": message}
        shown = dict(HubJobSerializer(facts).data)
        return Reply(status.HTTP_202_ACCEPTED, shown, f"/v1/downloads/{job.pk}")

    return answer
