"""What a job has made, with links that end, and the files behind the links."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
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

from jobs import thumbnails
from jobs.api.access import JobView
from jobs.errors import NotAllowed
from jobs.generation import links, ranges
from jobs.generation.api import examples, serializers
from jobs.generation.ranges import Part
from jobs.models import Artifact

CHUNK = 262_144
IMAGE = "image/*"
RANGE = OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="`bytes=…`, one range.")
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


@dataclass(frozen=True)
class Stored:
    """A file as it is given out."""

    key: str
    content_type: str
    etag: str
    name: str  # built of our own words: nothing in it comes from a user


class Linked(GenericAPIView[Artifact]):
    """The signature is the permission: who has the link may read the file, whoever they are."""

    door: links.Door
    authentication_classes = []
    # The last of the defaults refuses undeclared parameters; the others ask who is calling.
    permission_classes = [AllowAny, cast(Any, api_settings.DEFAULT_PERMISSION_CLASSES[-1])]
    query_serializer_class = {"GET": serializers.LinkQuerySerializer}
    queryset = Artifact.objects.none()
    error_codes = ("forbidden", "not_found", "range_not_satisfiable")
    query: dict[str, Any]

    def given(self, artifact_id: uuid.UUID) -> Artifact:
        """The artifact of a link that is ours and has not ended."""
        expires, signature = self.query["expires"], self.query["signature"]
        if not links.is_valid(self.door, artifact_id, expires, signature):
            raise NotAllowed("The link has ended or was changed; ask for the artifacts again.")
        artifact = Artifact.objects.filter(pk=artifact_id).first()
        if artifact is None:
            raise Http404
        return artifact


class ArtifactFileView(Linked):
    door = links.FILE

    @extend_schema(
        operation_id="artifacts_file",
        summary="The file of an artifact",
        description="What the links of `GET /v1/jobs/{id}/artifacts` lead to where images lie in a "
        "folder. A link that ended or was changed: 403.",
        parameters=[RANGE],
        responses={
            (200, IMAGE): OpenApiResponse(OpenApiTypes.BINARY, "The file."),
            (206, IMAGE): OpenApiResponse(OpenApiTypes.BINARY, "The part that was asked for."),
        },
        examples=[examples.FILE, examples.PART],
        tags=["jobs"],
    )
    def get(self, request: Request, artifact_id: uuid.UUID) -> HttpResponseBase:
        artifact = self.given(artifact_id)
        name = f"{artifact.job_id}_{artifact.item_index}.{artifact.format}"
        stored = Stored(artifact.s3_key, artifact.content_type, artifact.sha256, name)
        return _given_out(stored, request)


class ArtifactThumbnailView(Linked):
    door = links.THUMBNAIL

    @extend_schema(
        operation_id="artifacts_thumbnail",
        summary="The thumbnail of an artifact",
        description="What `thumbnail_url` leads to where images lie in a folder: a WebP of at most "
        "384 pixels a side that says nothing of itself. A link that ended or was changed: 403.",
        parameters=[RANGE],
        responses={
            (200, thumbnails.CONTENT_TYPE): OpenApiResponse(OpenApiTypes.BINARY, "The file."),
            (206, thumbnails.CONTENT_TYPE): OpenApiResponse(
                OpenApiTypes.BINARY, "The part that was asked for."
            ),
        },
        examples=[examples.THUMBNAIL, examples.THUMBNAIL_PART],
        tags=["jobs"],
    )
    def get(self, request: Request, artifact_id: uuid.UUID) -> HttpResponseBase:
        artifact = self.given(artifact_id)
        if not artifact.has_thumbnail:  # the link was made before a later attempt drew it again
            raise Http404
        key = thumbnails.key_of(artifact.s3_key)
        name = f"{artifact.job_id}_{artifact.item_index}{thumbnails.BESIDE}"
        etag = f"{artifact.sha256}.thumbnail"
        return _given_out(Stored(key, thumbnails.CONTENT_TYPE, etag, name), request)


def shown(artifact: Artifact, ttl_s: int, base: str) -> Artifact:
    """The artifact with fresh links."""
    link = links.link(artifact, ttl_s, base)
    artifact.url, artifact.expires_at = link.url, link.expires_at  # type: ignore[attr-defined]
    artifact.thumbnail_url = links.thumbnail(artifact, ttl_s, base)  # type: ignore[attr-defined]
    return artifact


def _given_out(stored: Stored, request: Request) -> HttpResponseBase:
    try:
        size = int(default_storage.size(stored.key))
        part = ranges.parse(request.headers.get("Range"), size)
    except FileNotFoundError:
        raise Http404 from None
    whole = Part(0, size, size)
    headers = {
        **FILE_HEADERS,
        "ETag": f'"{stored.etag}"',
        "Content-Disposition": f'inline; filename="{stored.name}"',
    }
    if part is not None:
        headers["Content-Range"] = part.content_range
    wanted = part or whole
    headers["Content-Length"] = str(wanted.length)
    return StreamingHttpResponse(
        () if request.method == "HEAD" else _chunks(stored.key, wanted),
        status=200 if part is None else 206,
        content_type=stored.content_type,
        headers=headers,
    )


def _chunks(key: str, part: Part) -> Iterator[bytes]:
    with default_storage.open(key) as file:
        file.seek(part.start)
        left = part.length
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
