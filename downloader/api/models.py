"""Models by way of this room: installing, verifying and removing them."""

from __future__ import annotations

import uuid
from functools import partial

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from downloader import kinds, removal
from downloader.api import examples, parameters, serializers
from downloader.api.downloads import accepted
from downloader.api.posting import PARAMETERS, JobPost
from jobs.errors import NotAllowed
from registry.models import Model


class ModelDownloadView(JobPost):
    serializer_class = parameters.DownloadSerializer
    type_name = kinds.DOWNLOAD.name

    @extend_schema(
        operation_id="models_download",
        summary="Download a model",
        description="Resolves the reference, fetches and verifies its files, installs them and "
        "registers the model. Needs the permission `downloader.add_download`. Follow it at "
        "`/v1/downloads/{id}/stream`; with `?wait=` the answer is held back until it is done.",
        parameters=PARAMETERS,
        responses={
            202: serializers.CreatedDownloadSerializer,
            200: serializers.DownloadDetailSerializer,
        },
        examples=[examples.CREATE, examples.CREATED, examples.DETAIL],
        tags=["models"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.wanted(request)
        scope = f"jobs.{self.type_name}"
        return self.start(request, scope, partial(self.submitted, wanted), accepted)


class ModelsVerifyView(JobPost):
    serializer_class = parameters.VerifyBodySerializer
    type_name = kinds.VERIFY.name

    @extend_schema(
        operation_id="models_verify",
        summary="Hash installed models again",
        description="Compares every file with the digest recorded for it. A model that differs is "
        "disabled, unless `repair` brings it back. A `model_id` of no model is 422. Needs the "
        "permission `downloader.change_download`.",
        parameters=PARAMETERS,
        responses={
            202: serializers.CreatedDownloadSerializer,
            200: serializers.DownloadDetailSerializer,
        },
        examples=[examples.VERIFY, examples.CREATED, examples.DETAIL],
        tags=["models"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.wanted(request)
        scope = f"jobs.{self.type_name}"
        return self.start(request, scope, partial(self.submitted, wanted), accepted)


class ModelRemoveView(GenericAPIView[Model]):
    serializer_class = serializers.RemoveSerializer
    queryset = Model.objects.none()
    scope = "models"
    error_codes = ("forbidden", "not_found", "conflict")

    @extend_schema(
        operation_id="models_remove",
        summary="Remove an installed model",
        description="Frees only bytes that nothing else uses. Jobs that wait for the model fail "
        "with `invalid_model`; one that draws with it goes on. Needs the permission "
        "`registry.delete_model`.",
        responses={200: serializers.RemovedSerializer},
        examples=[examples.REMOVE, examples.REMOVED],
        tags=["models"],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if not request.user.has_perm("registry.delete_model"):
            raise NotAllowed("Removing a model needs the permission registry.delete_model.")
        model = Model.objects.filter(pk=model_id).first()
        if model is None:
            raise Http404
        removed = removal.remove(model, dry_run=wanted.validated_data["dry_run"], by=request.user)
        return Response(serializers.RemovedSerializer(removed).data)
