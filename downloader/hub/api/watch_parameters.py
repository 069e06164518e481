"""The fields of the job that looks for news of tracked repositories."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

MOST_REPOS = 10_000


class WatchSerializer(serializers.Serializer[Any]):
    repo_ids = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MOST_REPOS,
        help_text="Registered repositories; left out: every one that is tracked by a branch.",
    )


class UpdateSerializer(serializers.Serializer[Any]):
    repo_id = serializers.UUIDField(help_text="Of a registered repository.")
    from_commit = serializers.RegexField(
        r"\A[0-9a-f]{40,64}\Z",
        help_text="The commit whose downloaded files are wanted of the newer one.",
    )
