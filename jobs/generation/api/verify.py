"""Whether an image was made here, with what, and how to make it again."""

from __future__ import annotations

import base64
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.access import visible
from jobs.errors import InvalidParams
from jobs.generation import provenance
from jobs.generation.api import examples, serializers
from runners.image_files import NotAnImage


class ArtifactsVerifyView(GenericAPIView[Any]):
    serializer_class = serializers.VerifyImageSerializer
    scope = "jobs"

    @extend_schema(
        operation_id="artifacts_verify",
        summary="Was this image made here?",
        description="Checks the signature of what the image says of itself and its picture. An "
        "image that says nothing any more is looked up by its picture among the jobs you may see. "
        "`request` is the body that makes it again.",
        responses={200: serializers.VerdictSerializer},
        examples=[examples.VERIFY, examples.VERDICT],
        tags=["jobs"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            verdict = provenance.judge(_decoded(wanted.validated_data["image"]), visible(request))
        except NotAnImage as error:
            raise InvalidParams({"image": [f"{str(error).capitalize()}."]}) from None
        return Response(serializers.VerdictSerializer(verdict).data)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # also of letters beyond ASCII
        raise InvalidParams({"image": ["This is no Base64."]}) from None
