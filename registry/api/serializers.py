"""How models are shown, and what the list of them takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from registry.descriptors import TRUST
from registry.kinds import KINDS
from registry.models import Model

LONGEST_TERM = 200
ENABLED = {"true": True, "false": False, "all": None}


class ModelQuerySerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=KINDS, required=False)
    installed = serializers.BooleanField(required=False)
    enabled = serializers.ChoiceField(
        choices=list(ENABLED), required=False, help_text="Absent: `true`."
    )
    q = serializers.CharField(
        max_length=LONGEST_TERM,
        required=False,
        help_text="Words that all stand in the name, the version or the source.",
    )


class ModelSummarySerializer(serializers.ModelSerializer[Model]):
    """A model in a list."""

    parameters_schema = serializers.DictField(
        read_only=True,
        help_text="JSON Schema (2020-12) of what a job can ask of it; `x-order` orders a form.",
    )

    class Meta:
        model = Model
        fields = ["id", "name", "kind", "version", "installed", "enabled", "parameters_schema"]
        read_only_fields = fields


class DefaultsSerializer(serializers.Serializer[Any]):
    defaults = serializers.DictField(
        child=serializers.JSONField(),
        allow_empty=False,
        help_text="By name: negative_prompt, width, height, steps, guidance, scheduler.",
    )


class ModelFileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(help_text="Below the model's folder.")
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    trust = serializers.ChoiceField(choices=TRUST)
    source_digest = serializers.CharField(
        allow_null=True, help_text="What the source published, as `algorithm:hex`."
    )


class ModelSerializer(ModelSummarySerializer):
    """The whole descriptor. What names places on the server's disk is null but for staff."""

    capabilities = serializers.DictField()
    files_json = ModelFileSerializer(many=True)
    local_path = serializers.CharField(allow_null=True, help_text="For staff.")
    source_uri = serializers.CharField(
        allow_null=True, help_text="With the commit or version id; of `file:` for staff only."
    )
    provenance = serializers.DictField(
        help_text="Source, repository, commit or version, licence, time of download."
    )
    trust = serializers.ChoiceField(
        choices=TRUST, help_text="The least that holds for any of its files."
    )

    class Meta(ModelSummarySerializer.Meta):
        fields = [
            *ModelSummarySerializer.Meta.fields,
            "capabilities",
            "checkpoint_hash",
            "source_uri",
            "local_path",
            "files_json",
            "schema_version",
            "provenance",
            "trust",
            "size_bytes",
            "is_default",
            "last_used_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields
