"""The fields of this room's job types."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework import serializers

from downloader import configured
from downloader.library.errors import DownloadError
from registry.kinds import KINDS
from registry.models import Model

REF_LENGTH = 2048


class DownloadSerializer(serializers.Serializer[Any]):
    ref = serializers.CharField(
        max_length=REF_LENGTH,
        help_text="`hf:<repo>[@<revision>][#<file or pattern>]`, "
        "`civitai:<model, version or page>[@<version>][#<file>]`, or a page's address.",
    )
    name = serializers.CharField(
        max_length=100, required=False, help_text="Else the source's own name."
    )
    version = serializers.CharField(
        max_length=100, required=False, help_text="Else the source's version or commit."
    )
    kind = serializers.ChoiceField(
        choices=KINDS, required=False, help_text="Else guessed from the files."
    )
    enable = serializers.BooleanField(
        default=True, help_text="Whether jobs may use the model once it is installed."
    )
    force = serializers.BooleanField(
        default=False, help_text="Replace other bytes under the same name and version."
    )

    def validate_ref(self, text: str) -> str:
        """A reference that cannot be one is refused at the door, not by a worker. A pasted address
        is kept as the reference it stands for: it can hold a token or a password."""
        try:
            return configured.parse(text).text
        except DownloadError as error:
            raise serializers.ValidationError(error.message) from None


class VerifyBodySerializer(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(required=False, help_text="Absent: every installed model.")
    repair = serializers.BooleanField(
        default=False, help_text="Fetch what is missing or damaged again."
    )


class VerifySerializer(VerifyBodySerializer):
    # Not for the body of a request: one that was granted and is repeated gets its first answer.
    def validate_model_id(self, model_id: uuid.UUID) -> uuid.UUID:
        """As for a job of images: a model that is none is refused at once."""
        if not Model.objects.filter(pk=model_id).exists():
            raise serializers.ValidationError(f"There is no model {model_id}.")
        return model_id
