"""What the account calls take and answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from dreamforge_site.accounts import scopes
from dreamforge_site.accounts.models import ApiKey, User

LONGEST_PASSWORD = 4096


class CredentialsSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(
        max_length=LONGEST_PASSWORD, trim_whitespace=False, style={"input_type": "password"}
    )


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(
        max_length=256, help_text="The refresh token of the last answer."
    )


class RegisteredSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "username")
        read_only_fields = fields


class CallerSerializer(serializers.ModelSerializer[User]):
    is_admin = serializers.BooleanField(
        source="is_staff",
        read_only=True,
        help_text="Sees everybody's jobs and may use the admin.",
    )

    class Meta:
        model = User
        fields = ("id", "username", "is_admin")
        read_only_fields = fields


class TokensSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(source="access", help_text="Access token: send it as Bearer.")
    refresh = serializers.CharField(help_text="Exchange it once for new tokens.")
    expires_in = serializers.IntegerField(
        source="expires_in_s", help_text="Seconds the access token lives."
    )
    user = CallerSerializer()


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(scopes.SCOPES)))

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "id",
            "name",
            "prefix",
            "scopes",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        )
        read_only_fields = fields


class MadeApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(
        source="revealed", read_only=True, help_text="The key itself; it is never shown again."
    )

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")
        read_only_fields = fields


class NewApiKeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, help_text="What the key is for.")
    scopes = serializers.MultipleChoiceField(
        choices=list(scopes.SCOPES.items()),
        allow_empty=False,
        help_text="What it may be used for, within what its owner may do.",
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Empty: until it is revoked."
    )
