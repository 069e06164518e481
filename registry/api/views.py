"""Listing models, looking at one, and choosing which of them jobs may use."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from registry import catalog, selection
from registry.api import examples, serializers
from registry.api.answers import shown
from registry.errors import NotAllowed
from registry.models import Model
from registry.selection import Filters

CHANGE = "registry.change_model"


class ModelsView(GenericAPIView[Model]):
    query_serializer_class = {"GET": serializers.ModelQuerySerializer}
    list_key = "models"
    scope = "models"
    queryset = Model.objects.none()
    query: dict[str, Any]

    @extend_schema(
        operation_id="models_list",
        summary="List models",
        description="Newest first; only those that jobs may use, unless `enabled` says otherwise.",
        responses={200: serializers.ModelSummarySerializer(many=True)},
        examples=[examples.SUMMARY],
        tags=["models"],
    )
    def get(self, request: Request) -> Response:
        # Plain rows: making a serializer's objects costs more than the query.
        columns = (*selection.LISTED, "created_at")
        page = self.paginate_queryset(selection.listed(_filters(self.query)).values(*columns))
        return self.get_paginated_response(
            [{name: row[name] for name in selection.LISTED} for row in page or ()]
        )


class ModelView(GenericAPIView[Model]):
    scope = "models"
    queryset = Model.objects.none()

    @extend_schema(
        operation_id="models_get",
        summary="Look at a model",
        description="The whole descriptor, with every file's digest and how far it is trusted.",
        responses={200: serializers.ModelSerializer},
        examples=[examples.MODEL],
        tags=["models"],
    )
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        model = Model.objects.filter(pk=model_id).first()
        if model is None:
            raise Http404
        return _answer(request, model)


class ModelEnableView(GenericAPIView[Model]):
    scope = "models"
    queryset = Model.objects.none()
    error_codes = ("conflict",)

    @extend_schema(
        operation_id="models_enable",
        summary="Let jobs use a model",
        description="409 with every reason in `details.reasons` when it is not installed, or when "
        "nobody answers for one of its files. Needs the permission `registry.change_model`.",
        request=None,
        responses={200: serializers.ModelSerializer},
        examples=[examples.MODEL],
        tags=["models"],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        _require_change(request)
        return _answer(request, catalog.enable(model_id, by=request.user))


class ModelDisableView(GenericAPIView[Model]):
    scope = "models"
    queryset = Model.objects.none()

    @extend_schema(
        operation_id="models_disable",
        summary="Keep jobs from using a model",
        description="New jobs that name it are refused, and those that wait for it fail with "
        "`invalid_model`; one that draws with it goes on. Needs the permission "
        "`registry.change_model`.",
        request=None,
        responses={200: serializers.ModelSerializer},
        examples=[examples.DISABLED],
        tags=["models"],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        _require_change(request)
        return _answer(request, catalog.disable(model_id, by=request.user))


class ModelDefaultsView(GenericAPIView[Model]):
    serializer_class = serializers.DefaultsSerializer
    scope = "models"
    queryset = Model.objects.none()

    @extend_schema(
        operation_id="models_defaults",
        summary="Give a model its own defaults",
        description="What a request that says nothing gets from this model; a preset and the "
        "request itself go before it. What is not named stays. Needs the permission "
        "`registry.change_model`.",
        responses={200: serializers.ModelSerializer},
        examples=[examples.DEFAULTS, examples.MODEL],
        tags=["models"],
    )
    def patch(self, request: Request, model_id: uuid.UUID) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        _require_change(request)
        model = catalog.set_defaults(model_id, wanted.validated_data["defaults"], by=request.user)
        return _answer(request, model)


def _filters(query: dict[str, Any]) -> Filters:
    enabled = serializers.ENABLED[query.get("enabled", "true")]
    return Filters(
        enabled=enabled,
        installed=query.get("installed"),
        kind=query.get("kind"),
        q=query.get("q", ""),
    )


def _answer(request: Request, model: Model) -> Response:
    return Response(shown(model, to_staff=bool(getattr(request.user, "is_staff", False))))


def _require_change(request: Request) -> None:
    if not request.user.has_perm(CHANGE):
        raise NotAllowed(f"This needs the permission {CHANGE}.")
