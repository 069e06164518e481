"""The fields of the job types that look at the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from rest_framework import serializers

from downloader.library import layouts
from downloader.library.errors import DownloadError


class ScanSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(
        max_length=1024,
        required=False,
        help_text="A folder below the models root, given from there. Absent: all of it.",
    )
    repo_id = serializers.UUIDField(
        required=False, help_text="Instead of a folder: what is tracked of this repository."
    )

    def validate_path(self, text: str) -> str:
        try:
            return str(layouts.place(Path(settings.MODELS_ROOT), text))
        except DownloadError as error:
            raise serializers.ValidationError(error.message) from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "path" in attrs and "repo_id" in attrs:
            raise serializers.ValidationError("Name either a path or a repo_id.")
        return attrs


class HubVerifySerializer(serializers.Serializer[Any]):
    repo_id = serializers.UUIDField(help_text="Of a registered repository.")
    repair = serializers.BooleanField(
        default=False, help_text="Fetch what is damaged or missing again."
    )


class ScrubSerializer(serializers.Serializer[Any]):
    """It takes nothing: the settings say how fast."""
