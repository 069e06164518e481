"""The presets, for clients that draw a form."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.generation.api import examples, serializers
from jobs.generation.presets import PRESETS


class PresetsView(GenericAPIView[Any]):
    scope = "read"

    @extend_schema(
        operation_id="presets_list",
        summary="The presets",
        description="Named settings for classes of GPUs. What a request says itself goes before "
        "its preset; without one the device decides.",
        responses={200: serializers.PresetsSerializer},
        examples=[examples.PRESETS],
        tags=["jobs"],
    )
    def get(self, request: Request) -> Response:
        shown = [asdict(preset) for preset in PRESETS.values()]
        return Response(serializers.PresetsSerializer({"presets": shown}).data)
