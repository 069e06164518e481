"""A caller's images across jobs: looking for them, and removing one."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from jobs.api.access import visible
from jobs.generation import gallery, provenance
from jobs.generation.api import examples
from jobs.generation.api.artifacts import shown
from jobs.generation.api.serializers import ArtifactSerializer, LifeQuerySerializer
from jobs.models import Artifact
from registry.parameters import LARGEST_SEED

LONGEST_SEARCH = 200
_ARTIFACT: dict[str, Any] = examples.ARTIFACTS.value["artifacts"][0]
IMAGE = OpenApiExample(
    "An image",
    value={
        **_ARTIFACT,
        "job_id": "3f1c2f3e-8a54-4d0b-9f0e-5b7b6d0f3a11",
        "prompt": "a lighthouse in a storm",
        "model_id": None,
        "owner_id": "0b7e7f1a-6a1b-4a53-9a3a-2f4d9a0c1e55",
        "request": {
            "type": "generate",
            "prompt": "a lighthouse in a storm",
            "seed": 42,
            "count": 1,
        },
    },
    response_only=True,
    status_codes=["200"],
)


class GalleryQuerySerializer(LifeQuerySerializer):
    q = serializers.CharField(
        max_length=LONGEST_SEARCH,
        required=False,
        help_text="Words that all stand in the prompt, in any case.",
    )
    seed = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_SEED)
    model_id = serializers.UUIDField(required=False)
    created_after = serializers.DateTimeField(required=False, help_text="Of the image's job.")
    created_before = serializers.DateTimeField(required=False, help_text="Of the image's job.")
    mine = serializers.BooleanField(
        required=False, help_text="`true`: of what staff see, only their own."
    )


class GalleryImageSerializer(ArtifactSerializer):
    job_id = serializers.UUIDField()
    prompt = serializers.CharField()
    model_id = serializers.UUIDField(allow_null=True)
    owner_id = serializers.UUIDField(allow_null=True, help_text="Of its job.")
    request = serializers.DictField(help_text="The body of a `POST /v1/jobs` that makes it again.")

    class Meta(ArtifactSerializer.Meta):
        fields = [
            *ArtifactSerializer.Meta.fields,
            "job_id",
            "prompt",
            "model_id",
            "owner_id",
            "request",
        ]
        read_only_fields = fields


class Pages(api_settings.DEFAULT_PAGINATION_CLASS):  # type: ignore[misc,name-defined]
    """As in every list, and no page reads more than `gallery.SCANNED` jobs."""

    next_cursor: str | None

    def paginate_queryset(
        self, queryset: QuerySet[Artifact], request: Request, view: Any = None
    ) -> list[Artifact]:
        self.view = view
        cursor = request.query_params.get("cursor")
        since = None if cursor is None else tuple(self._position(cursor, Artifact)[:2])
        last = gallery.last_job(view.jobs, since)
        if last is not None:
            queryset = queryset.filter(gallery.down_to(last))
        page: list[Artifact] = super().paginate_queryset(queryset, request, view)
        if last is not None and self.next_cursor is None:
            self.next_cursor = self._cursor(gallery.end_of(last))
        return page


class GalleryView(GenericAPIView[Artifact]):
    query_serializer_class = {"GET": GalleryQuerySerializer}
    list_key = "artifacts"
    keyset = gallery.KEYSET
    scope = "jobs"
    pagination_class = Pages
    queryset = Artifact.objects.none()
    query: dict[str, Any]

    @cached_property
    def jobs(self) -> gallery.Lookups:
        """As everywhere: staff see everybody's, others their own."""
        user = self.request.user
        sees_all = bool(getattr(user, "is_staff", False)) and not self.query.get("mine")
        return gallery.jobs_of(None if sees_all else user.pk, self.query)

    @extend_schema(
        operation_id="artifacts_list",
        summary="Your images",
        description="Of all jobs, the newest job first; staff see everybody's unless `mine` is "
        "true. Each with a link that needs no sign-in and ends after `ttl` seconds. A search looks "
        "through a bounded number of jobs a page: a page can hold few images or none and still "
        "have a `next_cursor`.",
        responses={200: GalleryImageSerializer(many=True)},
        examples=[IMAGE],
        tags=["jobs"],
    )
    def get(self, request: Request) -> Response:
        words, seed = self.query.get("q", ""), self.query.get("seed")
        page = self.paginate_queryset(gallery.images(self.jobs, words=words, seed=seed))
        ttl_s = self.query.get("ttl", settings.PRESIGN_TTL_S)
        base = request.build_absolute_uri("/").rstrip("/")
        told = [_told(artifact, ttl_s, base) for artifact in page or []]
        return self.get_paginated_response(GalleryImageSerializer(told, many=True).data)


class ArtifactView(GenericAPIView[Artifact]):
    scope = "jobs"
    queryset = Artifact.objects.none()
    error_codes = ("forbidden", "invalid_state")

    @extend_schema(
        operation_id="artifacts_remove",
        summary="Remove an image",
        description="It is gone from its job at once, and links of this service to it lead to 404; "
        "its file goes from the storage within minutes. 409 while its job is not over.",
        responses={204: None},
        tags=["jobs"],
    )
    def delete(self, request: Request, artifact_id: uuid.UUID) -> Response:
        if not gallery.remove(artifact_id, visible(request), request.user):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


def _told(artifact: Artifact, ttl_s: int, base: str) -> Artifact:
    """With a fresh link and what its job was asked for."""
    job, told = artifact.job, shown(artifact, ttl_s, base)
    told.prompt = job.params.get("prompt", "")  # type: ignore[attr-defined]  # facts of this answer
    told.model_id = job.model_id  # type: ignore[attr-defined]
    told.owner_id = job.owner_id  # type: ignore[attr-defined]
    told.request = provenance.again({**job.params, "seed": artifact.seed})  # type: ignore[attr-defined]
    return told
