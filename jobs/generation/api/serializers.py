"""The shapes of requests and answers about images."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.generation import links, provenance
from jobs.models import Artifact

SIGNATURE_LENGTH = 64


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    url = serializers.URLField(help_text="Needs no sign-in, and ends.")
    thumbnail_url = serializers.URLField(
        allow_null=True,
        help_text="A WebP of at most 384 pixels a side, with a link like `url`. Null: there is "
        "none; show the image itself.",
    )
    expires_at = serializers.DateTimeField(help_text="When the links end.")

    class Meta:
        model = Artifact
        fields = [
            "id",
            "format",
            "content_type",
            "width",
            "height",
            "seed",
            "item_index",
            "s3_key",
            "url",
            "thumbnail_url",
            "expires_at",
            "sha256",
            "size_bytes",
            "created_at",
        ]
        read_only_fields = fields


class ArtifactsSerializer(serializers.Serializer[Any]):
    artifacts = ArtifactSerializer(many=True)


class LifeQuerySerializer(serializers.Serializer[Any]):
    ttl = serializers.IntegerField(
        required=False,
        min_value=links.SHORTEST_S,
        max_value=links.LONGEST_S,
        help_text="Seconds until the links end.",
    )


class LinkQuerySerializer(serializers.Serializer[Any]):
    expires = serializers.IntegerField(min_value=0, max_value=2**53)
    signature = serializers.CharField(max_length=SIGNATURE_LENGTH)


class PresetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]  # its own word
    memory_bytes = serializers.IntegerField(help_text="Of the class of devices it is for.")
    parameters = serializers.DictField(help_text="Taken where a request says nothing.")
    engine = serializers.DictField(help_text="How the engine uses the device.")
    parallel = serializers.IntegerField(help_text="Images in one pass.")
    smaller = serializers.CharField(
        allow_null=True, help_text="The preset to step down to when memory runs out."
    )


class PresetsSerializer(serializers.Serializer[Any]):
    presets = PresetSerializer(many=True)


class VerifyImageSerializer(serializers.Serializer[Any]):
    image = serializers.CharField(help_text="The file's bytes in Base64.")


class UploadedImageSerializer(serializers.Serializer[Any]):
    image = serializers.FileField(help_text="The file.")


class VerdictSerializer(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=[verdict.value for verdict in provenance.Word])
    message = serializers.CharField()
    record = serializers.DictField(allow_null=True, help_text="What the image says of itself.")
    job_id = serializers.UUIDField(allow_null=True)
    artifact_id = serializers.UUIDField(allow_null=True)
    request = serializers.DictField(
        allow_null=True, help_text="The body of a `POST /v1/jobs` that makes it again."
    )
