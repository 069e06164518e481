"""The calls about an account's webhooks and their secrets.

A secret is answered to a POST only: an API key that may merely look must not learn to sign.
"""

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

from jobs import idempotency
from jobs.api import documentation
from jobs.idempotency import Reply
from jobs.webhooks import endpoints, hooks, signing
from jobs.webhooks.api import examples, serializers
from jobs.webhooks.api.delivery_views import delivery_answer
from jobs.webhooks.models import WebhookEndpoint, WebhookKey

NO_STORE = {"Cache-Control": "no-store"}


class OwnWebhooksView(GenericAPIView[WebhookEndpoint]):
    """The caller's own, staff or not; the admin has everybody's."""

    scope = "jobs"
    queryset = WebhookEndpoint.objects.none()

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.objects.filter(owner_id=self.request.user.pk)

    def find(self, webhook_id: uuid.UUID) -> WebhookEndpoint:
        endpoint = self.get_queryset().filter(id=webhook_id).first()
        if endpoint is None:
            raise Http404
        return endpoint


class WebhooksView(OwnWebhooksView):
    serializer_class = serializers.NewWebhookSerializer
    list_key = "webhooks"
    error_codes = {"POST": ("conflict", "idempotency_conflict"), "GET": ()}

    @extend_schema(
        operation_id="webhooks_list",
        summary="List your webhooks",
        description="Newest first, with the condition each is in.",
        responses={200: serializers.WebhookSerializer(many=True)},
        examples=[examples.WEBHOOK],
        tags=["webhooks"],
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(serializers.WebhookSerializer(page, many=True).data)

    @extend_schema(
        operation_id="webhooks_create",
        summary="Make a webhook",
        description="From now on the end of each of your jobs is told to this address, signed "
        "after the Standard Webhooks specification with the secret in the answer.",
        parameters=[documentation.IDEMPOTENCY],
        responses={201: serializers.MadeWebhookSerializer},
        examples=[examples.NEW, examples.MADE],
        tags=["webhooks"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope="webhooks.create",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda: _made(request, hooks.parse(wanted.validated_data)),
        )
        # The kept answer has no secret in it; this is where it comes from, each time.
        endpoint = self.find(uuid.UUID(reply.answer["id"]))
        answer = {**reply.answer, "secret": signing.secret_of(endpoint)}
        headers = {**NO_STORE, "Location": reply.location}
        if reply.replayed:
            headers["Idempotent-Replayed"] = "true"
        return Response(answer, reply.status, headers=headers)


class WebhookView(OwnWebhooksView):
    @extend_schema(
        operation_id="webhooks_get",
        summary="Look at a webhook",
        description="Its address, its events, and whether it works.",
        responses={200: serializers.WebhookSerializer},
        examples=[examples.WEBHOOK],
        tags=["webhooks"],
    )
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        return Response(serializers.WebhookSerializer(self.find(webhook_id)).data)

    @extend_schema(
        operation_id="webhooks_delete",
        summary="Delete a webhook",
        description="Nothing more is sent to it; what was owed and its log go with it.",
        responses={204: None},
        tags=["webhooks"],
    )
    def delete(self, request: Request, webhook_id: uuid.UUID) -> Response:
        endpoints.remove(self.find(webhook_id), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretView(OwnWebhooksView):
    serializer_class = serializers.SecretRequestSerializer

    @extend_schema(
        operation_id="webhooks_secret",
        summary="Show or rotate a webhook's secret",
        description="Shows the secret; with `rotate` another one, and for a day every message "
        "carries a signature by each of the two.",
        responses={200: serializers.SecretSerializer},
        examples=[examples.ROTATE, examples.SECRET],
        tags=["webhooks"],
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        return _secret(self, self.find(webhook_id))


class AccountSecretView(GenericAPIView[Any]):
    serializer_class = serializers.SecretRequestSerializer
    scope = "jobs"

    @extend_schema(
        operation_id="webhooks_account_secret",
        summary="Show or rotate the secret for jobs' own webhooks",
        description="What a job calls that was created with `webhook` is signed with this secret "
        "of your account.",
        responses={200: serializers.SecretSerializer},
        examples=[examples.ROTATE, examples.SECRET],
        tags=["webhooks"],
    )
    def post(self, request: Request) -> Response:
        return _secret(self, endpoints.account_key(request.user.pk))


class ResumeView(OwnWebhooksView):
    @extend_schema(
        operation_id="webhooks_resume",
        summary="Resume a webhook",
        description="One that was paused or disabled is called again, first with what has waited. "
        "Resuming an active one is no error.",
        request=None,
        responses={200: serializers.WebhookSerializer},
        examples=[examples.WEBHOOK],
        tags=["webhooks"],
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        endpoints.resume(self.find(webhook_id), by=request.user)
        return Response(serializers.WebhookSerializer(self.find(webhook_id)).data)


class TestView(OwnWebhooksView):
    error_codes = ("invalid_state",)

    @extend_schema(
        operation_id="webhooks_test",
        summary="Send a test",
        description="Owes the webhook a signed `webhook.test`, sent at once even when it is "
        "paused; if the receiver takes it, a paused webhook is active again.",
        request=None,
        responses={202: serializers.DeliverySerializer},
        examples=[examples.OWED],
        tags=["webhooks"],
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        return delivery_answer(endpoints.test(self.find(webhook_id), by=request.user))


def _made(request: Request, hook: hooks.Hook) -> Reply:
    endpoint = endpoints.create(request.user, hook, by=request.user)
    answer = dict(serializers.WebhookSerializer(endpoint).data)
    location = reverse("webhook", args=[endpoint.id])
    return Reply(status.HTTP_201_CREATED, answer, location)


def _secret(view: GenericAPIView[Any], keyed: WebhookEndpoint | WebhookKey) -> Response:
    wanted = view.get_serializer(data=view.request.data)
    wanted.is_valid(raise_exception=True)
    if wanted.validated_data["rotate"]:
        endpoints.rotate(keyed, by=view.request.user)
    shown = {"secret": signing.secret_of(keyed), "previous_until": keyed.previous_until}
    return Response(serializers.SecretSerializer(shown).data, headers=NO_STORE)
