"""What the calls that start a job of this room share: one job for one key, refusals that a repeated
request does not meet, and the answer, at once or when the job is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import Model
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from downloader.api.serializers import DownloadDetailSerializer
from downloader.hub.errors import HubError
from downloader.hub.models import Repo
from downloader.library.errors import DownloadError
from jobs import idempotency, submission
from jobs import kinds as job_kinds
from jobs.api import documentation, queries
from jobs.api.access import caller
from jobs.api.answers import held_back, respond
from jobs.api.serializers import STATES
from jobs.errors import JobError
from jobs.idempotency import Keep, Reply
from jobs.models import Job


class HubJobSerializer(serializers.Serializer[Any]):
    job_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=STATES)
    message = serializers.CharField()


class NothingSerializer(serializers.Serializer[Any]):
    """No field."""


Answering = Callable[[Job], Reply]
Along = Callable[[Job], Sequence[Model]]  # rows that are stored with the job, all or none
# For the documentation of every such call; with `?wait=` it answers as the download does.
PARAMETERS = [documentation.IDEMPOTENCY, documentation.PREFER, *documentation.CREATED]
ANSWERS = {202: HubJobSerializer, 200: DownloadDetailSerializer}


class Declined(JobError):
    """A refusal of the hub. Who repeats a request that was granted gets the first answer: of the
    errors, idempotency looks only behind those of jobs."""

    def __init__(self, error: HubError | DownloadError) -> None:
        super().__init__(error.message, details=dict(error.details))
        self.code = error.code


class JobPost(GenericAPIView[Repo]):
    """A POST that becomes a job."""

    queryset = Repo.objects.none()
    query_serializer_class: Any = {"POST": queries.WaitQuerySerializer}
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

    def submitted(self, params: Mapping[str, Any], along: Along) -> Job:
        given = {name: value for name, value in params.items() if value is not None}
        return submission.submit(self.type_name, given, caller(self.request), along=along)

    def start(
        self, request: Request, scope: str, make: Callable[[Along], Job], answering: Answering
    ) -> Response:
        """The answer to the one job that `make` stores, or the one kept under the same key. What
        `make` checks before, it checks outside of a transaction: it can take a while."""

        def work(keep: Keep) -> Reply:
            try:
                return answering(make(lambda job: keep(answering(job))))
            except (HubError, DownloadError) as error:
                raise Declined(error) from error

        reply = idempotency.once_along(
            caller=str(request.user.pk),
            scope=scope,
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=work,
        )
        job_id = reply.location.rpartition("/")[2]
        return held_back(request, self.query, respond(reply), job_id, view="download")


def accepted(message: str) -> Answering:
    """202 with the hub's words for a job."""

    def answer(job: Job) -> Reply:
        facts = {"job_id": job.pk, "status": job.status, "message": message}
        shown = dict(HubJobSerializer(facts).data)
        return Reply(status.HTTP_202_ACCEPTED, shown, f"/v1/downloads/{job.pk}")

    return answer
