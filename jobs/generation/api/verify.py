"""Whether an image was made here, with what, and how to make it again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.access import visible
from jobs.errors import InvalidParams, JobError
from jobs.generation import provenance
from jobs.generation.api import examples, serializers, uploads
from runners.image_files import NotAnImage

# A decoded picture takes up to 200 MB, however small its file is: a process decodes few at once.
AT_ONCE = 2
PATIENCE_S = 10.0
_decoding = threading.BoundedSemaphore(AT_ONCE)


class Busy(JobError):
    code = "infra_unavailable"


class ArtifactsVerifyView(GenericAPIView[Any]):
    serializer_class = serializers.VerifyImageSerializer
    parser_classes = uploads.PARSERS
    scope = "jobs"

    @extend_schema(
        operation_id="artifacts_verify",
        summary="Was this image made here?",
        description="Takes a PNG or JPEG of up to 64 MiB: as the body itself, as the file `image` "
        "of a form, or in Base64. Checks the signature of what the image says of itself and its "
        "picture. An image that says nothing any more is looked up by its picture among the jobs "
        "you may see. `request` is the body that makes it again.",
        request={
            "application/json": serializers.VerifyImageSerializer,
            "image/png": OpenApiTypes.BINARY,
            "image/jpeg": OpenApiTypes.BINARY,
            "multipart/form-data": serializers.UploadedImageSerializer,
        },
        responses={200: serializers.VerdictSerializer},
        examples=[*examples.VERIFY, examples.VERDICT],
        tags=["jobs"],
    )
    def post(self, request: Request) -> Response:
        data = uploads.image_of(request.data)
        try:
            with _a_turn():
                verdict = provenance.judge(data, visible(request))
        except NotAnImage as error:
            raise InvalidParams({uploads.FIELD: [f"{str(error).capitalize()}."]}) from None
        return Response(serializers.VerdictSerializer(verdict).data)


@contextmanager
def _a_turn() -> Iterator[None]:
    if not _decoding.acquire(timeout=PATIENCE_S):
        raise Busy("Too many images are being looked at; try again.")
    try:
        yield
    finally:
        _decoding.release()
