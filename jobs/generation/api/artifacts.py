"""What a job has made, with links that end, and the files behind the links."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from jobs.api.access import JobView
from jobs.errors import NotAllowed
from jobs.generation import links, ranges
from jobs.generation.api import examples, serializers
from jobs.generation.ranges import Part
from jobs.models import Artifact

CHUNK = 262_144
IMAGE = "image/*"
# Whatever a browser makes of the file, it runs nothing and loads nothing.
FILE_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, max-age=3600, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


class ArtifactsView(JobView):
    query_serializer_class = {"GET": serializers.LifeQuerySerializer}

    @extend_schema(
        operation_id="jobs_artifacts",
        summary="What a job has made",
        description="By item, each with a link to its file that needs no sign-in and ends after "
        "`ttl` seconds. A job that failed keeps the images it finished.",
        responses={200: serializers.ArtifactsSerializer},
        examples=[examples.ARTIFACTS],
        tags=["jobs"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        job = self.find(job_id)
        ttl_s = self.query.get("ttl", settings.PRESIGN_TTL_S)
        base = request.build_absolute_uri("/").rstrip("/")
        found = [shown(artifact, ttl_s, base) for artifact in job.artifacts.order_by("item_index")]
        return Response({"artifacts": serializers.ArtifactSerializer(found, many=True).data})


class ArtifactFileView(GenericAPIView[Artifact]):
    """The signature is the permission: who has the link may read the file, whoever they are."""

    authentication_classes = []
    # The last of the defaults refuses undeclared parameters; the others ask who is calling.
    permission_classes = [AllowAny, cast(Any, api_settings.DEFAULT_PERMISSION_CLASSES[-1])]
    query_serializer_class = {"GET": serializers.LinkQuerySerializer}
    queryset = Artifact.objects.none()
    error_codes = ("forbidden", "not_found", "range_not_satisfiable")
    query: dict[str, Any]

    @extend_schema(
        operation_id="artifacts_file",
        summary="The file of an artifact",
        description="What the links of `GET /v1/jobs/{id}/artifacts` lead to where images lie in a "
        "folder. A link that ended or was changed: 403.",
        parameters=[
            OpenApiParameter(
                "Range", str, OpenApiParameter.HEADER, description="`bytes=…`, one range."
            )
        ],
        responses={
            (200, IMAGE): OpenApiResponse(OpenApiTypes.BINARY, "The file."),
            (206, IMAGE): OpenApiResponse(OpenApiTypes.BINARY, "The part that was asked for."),
        },
        examples=[examples.FILE, examples.PART],
        tags=["jobs"],
    )
    def get(self, request: Request, artifact_id: uuid.UUID) -> HttpResponseBase:
        expires, signature = self.query["expires"], self.query["signature"]
        if not links.is_valid(artifact_id, expires, signature):
            raise NotAllowed("The link has ended or was changed; ask for the artifacts again.")
        artifact = Artifact.objects.filter(pk=artifact_id).first()
        if artifact is None:
            raise Http404
        return _file(artifact, request)


def shown(artifact: Artifact, ttl_s: int, base: str) -> Artifact:
    """The artifact with a fresh link."""
    link = links.link(artifact, ttl_s, base)
    artifact.url, artifact.expires_at = link.url, link.expires_at  # type: ignore[attr-defined]
    return artifact


def _file(artifact: Artifact, request: Request) -> HttpResponseBase:
    try:
        size = links.size_of(artifact)
        part = ranges.parse(request.headers.get("Range"), size)
    except FileNotFoundError:
        raise Http404 from None
    whole = Part(0, size, size)
    headers = {
        **FILE_HEADERS,
        "ETag": f'"{artifact.sha256}"',
        "Content-Disposition": _name(artifact),
    }
    if part is not None:
        headers["Content-Range"] = part.content_range
    wanted = part or whole
    headers["Content-Length"] = str(wanted.length)
    return StreamingHttpResponse(
        () if request.method == "HEAD" else _chunks(artifact.s3_key, wanted),
        status=200 if part is None else 206,
        content_type=artifact.content_type,
        headers=headers,
    )


def _name(artifact: Artifact) -> str:
    """Built of our own words: nothing in it comes from a user."""
    return f'inline; filename="{artifact.job_id}_{artifact.item_index}.{artifact.format}"'


def _chunks(key: str, part: Part) -> Iterator[bytes]:
    with default_storage.open(key) as file:
        file.seek(part.start)
        left = part.length
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
