"""The queues, for staff: how deep they are, who works on them, pause and resume."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import kinds, queueing
from jobs.api import examples, serializers
from jobs.api.access import require, require_staff

CHANGE = "jobs.change_queue"


class QueuesView(GenericAPIView[Any]):
    scope = "admin"

    @extend_schema(
        operation_id="queues_list",
        summary="The queues",
        description="Depth, running jobs, workers, and whether a queue is paused. For staff.",
        responses={200: serializers.QueuesSerializer},
        examples=[examples.QUEUES],
        tags=["queues"],
    )
    def get(self, request: Request) -> Response:
        require_staff(request)
        return Response({"queues": queueing.overview()})


class QueuePauseView(GenericAPIView[Any]):
    serializer_class = serializers.PauseSerializer
    scope = "admin"

    @extend_schema(
        operation_id="queues_pause",
        summary="Pause a queue",
        description="Starts nothing new; what runs goes on. Wait for `running` to reach 0 and the "
        "queue is drained. For staff.",
        responses={204: None},
        examples=[examples.PAUSE],
        tags=["queues"],
    )
    def post(self, request: Request, name: str) -> Response:
        require_staff(request)
        require(request, CHANGE)
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        queueing.pause(_known(name), wanted.validated_data["reason"], by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class QueueResumeView(GenericAPIView[Any]):
    scope = "admin"

    @extend_schema(
        operation_id="queues_resume",
        summary="Resume a queue",
        description="Workers take jobs from it again. For staff.",
        request=None,
        responses={204: None},
        tags=["queues"],
    )
    def post(self, request: Request, name: str) -> Response:
        require_staff(request)
        require(request, CHANGE)
        queueing.resume(_known(name), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _known(name: str) -> str:
    if name not in kinds.QUEUES:
        raise Http404
    return name
