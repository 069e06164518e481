"""The calls about what was sent: the log, and sending again."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.webhooks import deliveries
from jobs.webhooks.api import examples, serializers
from jobs.webhooks.models import WebhookDelivery

LOOKUPS = {"webhook_id": "endpoint_id"}


class OwnDeliveriesView(GenericAPIView[WebhookDelivery]):
    scope = "jobs"
    queryset = WebhookDelivery.objects.none()
    query: dict[str, Any]

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.filter(owner_id=self.request.user.pk)

    def find(self, delivery_id: uuid.UUID) -> WebhookDelivery:
        rows = self.get_queryset().select_related("endpoint").prefetch_related("attempt_log")
        delivery = rows.filter(id=delivery_id).first()
        if delivery is None:
            raise Http404
        return delivery


class DeliveriesView(OwnDeliveriesView):
    query_serializer_class = serializers.DeliveryQuerySerializer
    list_key = "deliveries"

    @extend_schema(
        operation_id="webhooks_deliveries_list",
        summary="List what was sent and what is owed",
        description="Newest first, of your webhooks and of your jobs' own.",
        responses={200: serializers.DeliverySerializer(many=True)},
        examples=[examples.DELIVERY],
        tags=["webhooks"],
    )
    def get(self, request: Request) -> Response:
        wanted = {LOOKUPS.get(name, name): value for name, value in self.query.items()}
        page = self.paginate_queryset(self.get_queryset().filter(**wanted).defer("body"))
        return self.get_paginated_response(serializers.DeliverySerializer(page, many=True).data)


class DeliveryView(OwnDeliveriesView):
    @extend_schema(
        operation_id="webhooks_deliveries_get",
        summary="Look at a delivery",
        description="With every attempt: when, how long, and what the receiver answered.",
        responses={200: serializers.DeliveryDetailSerializer},
        examples=[examples.DELIVERY_DETAIL],
        tags=["webhooks"],
    )
    def get(self, request: Request, delivery_id: uuid.UUID) -> Response:
        return Response(serializers.DeliveryDetailSerializer(self.find(delivery_id)).data)


class ResendView(OwnDeliveriesView):
    error_codes = ("invalid_state",)

    @extend_schema(
        operation_id="webhooks_deliveries_resend",
        summary="Send again",
        description="Now, whether it was delivered, failed or waits, under the same `webhook-id`; "
        "if need be it is tried for another day.",
        request=None,
        responses={202: serializers.DeliverySerializer},
        examples=[examples.OWED],
        tags=["webhooks"],
    )
    def post(self, request: Request, delivery_id: uuid.UUID) -> Response:
        deliveries.resend(self.find(delivery_id), by=request.user)
        return delivery_answer(self.find(delivery_id))


def delivery_answer(delivery: WebhookDelivery) -> Response:
    return Response(
        serializers.DeliverySerializer(delivery).data,
        status.HTTP_202_ACCEPTED,
        headers={"Location": reverse("delivery", args=[delivery.id])},
    )
