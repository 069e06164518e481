"""What the webhook calls take and answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.webhooks import hooks
from jobs.webhooks.models import (
    URL_LENGTH,
    Condition,
    Outcome,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)


class NewWebhookSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(
        max_length=URL_LENGTH, help_text="http or https, at a public address."
    )
    events = serializers.MultipleChoiceField(
        choices=hooks.EVENTS, required=False, help_text="Absent or empty: all of them."
    )


class WebhookSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    events = serializers.ListField(child=serializers.ChoiceField(choices=hooks.EVENTS))
    condition = serializers.ChoiceField(
        choices=[condition.value for condition in Condition],
        help_text="`paused`: it failed for a day, what is owed waits. `disabled`: it answered 410.",
    )

    class Meta:
        model = WebhookEndpoint
        fields: tuple[str, ...] = (
            "id",
            "url",
            "events",
            "condition",
            "reason",
            "failing_since",
            "created_at",
        )
        read_only_fields = fields


class MadeWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="Verifies the signatures; also by the secret call.")

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")
        read_only_fields = fields


class SecretRequestSerializer(serializers.Serializer[Any]):
    rotate = serializers.BooleanField(
        default=False, help_text="Make another; the old one signs beside it for a day."
    )


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="`whsec_…`")
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before this one signs too."
    )


class DeliveryQuerySerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=[o.value for o in Outcome], required=False)
    webhook_id = serializers.UUIDField(required=False)
    job_id = serializers.UUIDField(required=False)


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    message_id = serializers.CharField(help_text="Sent as `webhook-id` with every attempt.")
    webhook_id = serializers.UUIDField(
        source="endpoint_id", allow_null=True, help_text="Null: the job named the address."
    )
    job_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=[o.value for o in Outcome])
    next_at = serializers.DateTimeField(
        source="next_attempt_at", allow_null=True, help_text="Null: none is to come."
    )

    class Meta:
        model = WebhookDelivery
        fields: tuple[str, ...] = (
            "id",
            "message_id",
            "webhook_id",
            "job_id",
            "event",
            "url",
            "status",
            "attempts",
            "last_error",
            "next_at",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    class Meta:
        model = WebhookAttempt
        fields = (
            "number",
            "started_at",
            "finished_at",
            "duration_ms",
            "status_code",
            "error",
            "response",
        )
        read_only_fields = fields


class DeliveryDetailSerializer(DeliverySerializer):
    log = AttemptSerializer(source="attempt_log", many=True)

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "log")
        read_only_fields = fields
