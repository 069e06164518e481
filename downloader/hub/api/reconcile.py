"""Making the hub and the disk agree: scan, rescan, mark what is missing, verify."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from downloader import configured, kinds
from downloader.hub import reconciling, registering
from downloader.hub.api.reconcile_parameters import ScanSerializer
from downloader.hub.errors import UnknownRepo
from downloader.hub.models import Repo
from jobs import idempotency, submission
from jobs.api import documentation
from jobs.api.access import caller
from jobs.api.answers import respond
from jobs.api.serializers import STATES
from jobs.errors import NotAllowed
from jobs.idempotency import Keep, Reply
from jobs.models import Job

_ID = "6d4be3a1-0f5c-4d1c-8d5e-0e1a6a7c9b20"
MARKING = "downloader.change_download"


class HubJobSerializer(serializers.Serializer[Any]):
    job_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=STATES)
    message = serializers.CharField()


class HubScanSerializer(ScanSerializer):
    """What a client may ask of a scan."""

    repo_id = None  # type: ignore[assignment]  # a call of its own: rescan


class RepairSerializer(serializers.Serializer[Any]):
    repair = serializers.BooleanField(
        default=False, help_text="Fetch what is damaged or missing again."
    )


class NothingSerializer(serializers.Serializer[Any]):
    """No field."""


class MarkedSerializer(serializers.Serializer[Any]):
    missing = serializers.IntegerField(help_text="Files that are pending now.")
    missing_paths = serializers.ListField(
        child=serializers.CharField(), help_text="The first of them, each with its commit."
    )


def _accepted(message: str) -> OpenApiExample:
    value = {"job_id": _ID, "status": "queued", "message": message}
    return OpenApiExample("The job", value=value, response_only=True, status_codes=["202"])


class _JobPost(GenericAPIView[Repo]):
    """A POST that becomes a job: checked, stored and answered at once."""

    queryset = Repo.objects.none()
    scope = "models"
    error_codes: ClassVar[tuple[str, ...]] = ("forbidden", "idempotency_conflict", "rate_limited")

    def submit(self, request: Request, type_name: str, message: str, **fixed: str) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        params = {**wanted.to_representation(wanted.validated_data), **fixed}
        given = {name: value for name, value in params.items() if value is not None}
        where = ":".join((type_name, *fixed.values()))

        def make(keep: Keep) -> Reply:
            job = submission.submit(
                type_name,
                given,
                caller(request),
                along=lambda job: keep(_answer(job, message)),
            )
            return _answer(job, message)

        reply = idempotency.once_along(
            caller=str(request.user.pk),
            scope=f"hub.{where}",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=make,
        )
        return respond(reply)


def _answer(job: Job, message: str) -> Reply:
    facts = {"job_id": job.pk, "status": job.status, "message": message}
    answer = HubJobSerializer(facts)
    return Reply(status.HTTP_202_ACCEPTED, dict(answer.data), f"/v1/downloads/{job.pk}")


def _repo(repo_id: uuid.UUID) -> Repo:
    try:
        return registering.get(repo_id)
    except UnknownRepo:
        raise Http404 from None


class ScanView(_JobPost):
    serializer_class = HubScanSerializer

    @extend_schema(
        operation_id="hub_scan",
        summary="Scan the disk for models",
        description="Walks a folder below the models root, or all of it. Models that nobody knows "
        "yet are read, matched to a known commit by their digests, and adopted where they lie, "
        "without a copy; what is unchanged since the last scan is not read. The job's summary "
        "tells what could not be placed, and why. Needs the permission `downloader.add_download`.",
        parameters=[documentation.IDEMPOTENCY, *documentation.CREATED],
        responses={202: HubJobSerializer},
        examples=[
            OpenApiExample("A folder", value={"path": "acme/forge-xl"}, request_only=True),
            _accepted("The scan is queued."),
        ],
        tags=["hub"],
    )
    def post(self, request: Request) -> Response:
        return self.submit(request, kinds.SCAN.name, "The scan is queued.")


class RescanView(_JobPost):
    serializer_class = NothingSerializer
    error_codes = (*_JobPost.error_codes, "not_found")

    @extend_schema(
        operation_id="hub_models_rescan",
        summary="Compare a repository with the disk",
        description="Files whose bytes are gone become `pending`, files whose bytes are here "
        "become `done`, and links that are missing are put back. Nothing is hashed: `verify` does "
        "that. Needs the permission `downloader.add_download`.",
        request=None,
        parameters=[documentation.IDEMPOTENCY, *documentation.CREATED],
        responses={202: HubJobSerializer},
        examples=[_accepted("The comparison is queued.")],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        repo = _repo(repo_id)
        message = "The comparison is queued."
        return self.submit(request, kinds.SCAN.name, message, repo_id=str(repo.pk))


class VerifyView(_JobPost):
    serializer_class = RepairSerializer
    error_codes = (*_JobPost.error_codes, "not_found")

    @extend_schema(
        operation_id="hub_models_verify",
        summary="Read a repository's files again",
        description="Hashes every file that is here. One that differs becomes `failed` with the "
        "trust `mismatch`, leaves the folders that showed it and goes into quarantine; models "
        "that show it are disabled. With `repair` it is fetched again. Needs the permission "
        "`downloader.change_download`.",
        parameters=[documentation.IDEMPOTENCY, *documentation.CREATED],
        responses={202: HubJobSerializer},
        examples=[
            OpenApiExample("And repair", value={"repair": True}, request_only=True),
            _accepted("The verification is queued."),
        ],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        repo = _repo(repo_id)
        message = "The verification is queued."
        return self.submit(request, kinds.HUB_VERIFY.name, message, repo_id=str(repo.pk))


class MarkMissingView(GenericAPIView[Repo]):
    serializer_class = NothingSerializer
    queryset = Repo.objects.none()
    scope = "models"
    error_codes = ("forbidden", "not_found")

    @extend_schema(
        operation_id="hub_models_mark_missing",
        summary="Mark a repository's missing files",
        description="Files whose bytes are not in the store become `pending`; the disk is only "
        "looked at. Needs the permission `downloader.change_download`.",
        request=None,
        responses={200: MarkedSerializer},
        examples=[
            OpenApiExample(
                "One is gone",
                value={"missing": 1, "missing_paths": ["462165984030/unet/model.safetensors"]},
                response_only=True,
                status_codes=["200"],
            )
        ],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        if not request.user.has_perm(MARKING):
            raise NotAllowed(f"Marking files needs the permission {MARKING}.")
        report = reconciling.mark_missing(_repo(repo_id), configured.store(), by=request.user)
        told = report.to_json()
        return Response({name: told[name] for name in ("missing", "missing_paths")})
