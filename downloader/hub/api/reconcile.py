"""Making the hub and the disk agree: scan, rescan, mark what is missing, verify."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from downloader import configured, kinds
from downloader.api import examples as download_examples
from downloader.api.posting import (
    ANSWERS,
    PARAMETERS,
    JobPost,
    NothingSerializer,
    accepted,
)
from downloader.hub import reconciling, registering
from downloader.hub.api import examples
from downloader.hub.api.reconcile_parameters import ScanSerializer
from downloader.hub.models import Repo
from jobs.errors import NotAllowed

MARKING = "downloader.change_download"


class HubScanSerializer(ScanSerializer):
    """What a client may ask of a scan."""

    repo_id = None  # type: ignore[assignment]  # a call of its own: rescan


class RepairSerializer(serializers.Serializer[Any]):
    repair = serializers.BooleanField(
        default=False, help_text="Fetch what is damaged or missing again."
    )


class MarkedSerializer(serializers.Serializer[Any]):
    missing = serializers.IntegerField(help_text="Files that are pending now.")
    missing_paths = serializers.ListField(
        child=serializers.CharField(), help_text="The first of them, each with its commit."
    )


class ScanView(JobPost):
    serializer_class = HubScanSerializer
    type_name = kinds.SCAN.name

    @extend_schema(
        operation_id="hub_scan",
        summary="Scan the disk for models",
        description="Walks a folder below the models root, or all of it. Models that nobody knows "
        "yet are read, matched to a known commit by their digests, and adopted where they lie, "
        "without a copy; what is unchanged since the last scan is not read. The job's summary "
        "tells what could not be placed, and why. Needs the permission `downloader.add_download`.",
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[
            OpenApiExample("A folder", value={"path": "acme/forge-xl"}, request_only=True),
            examples.accepted("The scan is queued."),
            download_examples.DETAIL,
        ],
        tags=["hub"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.wanted(request)
        message = accepted("The scan is queued.")
        return self.start(request, "hub.scan", partial(self.submitted, wanted), message)


class RepoJobPost(JobPost):
    """A POST that becomes a job about one tracked repository."""

    error_codes = (*JobPost.error_codes, "not_found")

    def started(self, request: Request, repo_id: uuid.UUID, message: str) -> Response:
        wanted = {**self.wanted(request), "repo_id": str(registering.get(repo_id).pk)}
        scope = f"hub.{self.type_name}:{repo_id}"
        return self.start(request, scope, partial(self.submitted, wanted), accepted(message))


class RescanView(RepoJobPost):
    serializer_class = NothingSerializer
    type_name = kinds.SCAN.name

    @extend_schema(
        operation_id="hub_models_rescan",
        summary="Compare a repository with the disk",
        description="Files whose bytes are gone become `pending`, files whose bytes are here "
        "become `done`, and links that are missing are put back. Nothing is hashed: `verify` does "
        "that. Needs the permission `downloader.add_download`.",
        request=None,
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[examples.accepted("The comparison is queued."), download_examples.DETAIL],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        return self.started(request, repo_id, "The comparison is queued.")


class VerifyView(RepoJobPost):
    serializer_class = RepairSerializer
    type_name = kinds.HUB_VERIFY.name

    @extend_schema(
        operation_id="hub_models_verify",
        summary="Read a repository's files again",
        description="Hashes every file that is here. One that differs becomes `failed` with the "
        "trust `mismatch`, leaves the folders that showed it and goes into quarantine; models "
        "that show it are disabled. With `repair` it is fetched again. Needs the permission "
        "`downloader.change_download`.",
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[
            OpenApiExample("And repair", value={"repair": True}, request_only=True),
            examples.accepted("The verification is queued."),
            download_examples.DETAIL,
        ],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        return self.started(request, repo_id, "The verification is queued.")


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
        report = reconciling.mark_missing(
            registering.get(repo_id), configured.store(), by=request.user
        )
        told = report.to_json()
        return Response({name: told[name] for name in ("missing", "missing_paths")})
