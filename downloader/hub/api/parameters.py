"""The fields of the hub's job types."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from registry.kinds import KINDS

MOST_FILES = 10_000  # more do not fit into the largest body
REVISION_LENGTH = 512
ENTRY_TYPES = ("file", "dir")


class EntrySerializer(serializers.Serializer[Any]):
    path = serializers.CharField(
        max_length=1024,
        help_text="A file, a folder, or a pattern such as `*.safetensors`; of these at most 100.",
    )
    type = serializers.ChoiceField(choices=ENTRY_TYPES, default="file")


class SyncSerializer(serializers.Serializer[Any]):
    repo_id = serializers.UUIDField(help_text="Of a registered repository.")
    revision = serializers.CharField(
        max_length=REVISION_LENGTH,
        required=False,
        help_text="Another revision of it than the one that is registered.",
    )


class MirrorSerializer(serializers.Serializer[Any]):
    """Files by id, or a repository and what of it."""

    artifact_ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=MOST_FILES, min_length=1
    )
    repo_id = serializers.UUIDField(required=False)
    commit = serializers.RegexField(
        r"\A[0-9a-f]{40,64}\Z", required=False, help_text="An older commit that is still known."
    )
    selection = serializers.ListField(
        child=EntrySerializer(), required=False, max_length=MOST_FILES
    )
    fresh = serializers.BooleanField(
        required=False, help_text="Ask its source for the list of files first."
    )
    force = serializers.BooleanField(
        default=False, help_text="Read what is here again, and fetch what is damaged."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("artifact_ids" in attrs) == ("repo_id" in attrs):
            raise serializers.ValidationError("Name either artifact_ids or a repo_id.")
        return attrs


class InstallOptionsSerializer(serializers.Serializer[Any]):
    """What of a repository becomes a model, and what it is called."""

    name = serializers.CharField(
        max_length=100, required=False, help_text="Else the repository's own name."
    )
    version = serializers.CharField(
        max_length=100, required=False, help_text="Else the beginning of the commit."
    )
    kind = serializers.ChoiceField(
        choices=KINDS, required=False, help_text="Else guessed from the files."
    )
    path = serializers.CharField(
        max_length=1024,
        required=False,
        help_text="One file, a folder or a pattern. Absent: the files that make up the model.",
    )
    commit = serializers.RegexField(
        r"\A[0-9a-f]{40,64}\Z", required=False, help_text="An older commit that is still known."
    )
    enable = serializers.BooleanField(
        default=True, help_text="Whether jobs may use the model once it is installed."
    )
    force = serializers.BooleanField(
        default=False, help_text="Replace other bytes under the same name and version."
    )


class InstallSerializer(InstallOptionsSerializer):
    repo_id = serializers.UUIDField(help_text="Of a registered repository.")
