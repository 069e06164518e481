"""The shapes of answers about downloads."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from downloader.kinds import TYPES
from downloader.library.watch import FileState
from downloader.models import DownloadFile
from jobs.api.serializers import STATES


class CreatedDownloadSerializer(serializers.Serializer[Any]):
    download_id = serializers.UUIDField(help_text="Also the id of its job.")
    status = serializers.ChoiceField(choices=STATES)


class FileCountsSerializer(serializers.Serializer[Any]):
    pending = serializers.IntegerField()
    downloading = serializers.IntegerField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()


class DownloadSummarySerializer(serializers.Serializer[Any]):
    """A download in a list."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=TYPES)
    status = serializers.ChoiceField(choices=STATES)
    ref = serializers.CharField(allow_null=True, help_text="As it was asked for.")
    source_uri = serializers.CharField(allow_null=True, help_text="Pinned to a commit or version.")
    model_id = serializers.UUIDField(allow_null=True, help_text="The model it became.")
    repo_id = serializers.UUIDField(
        allow_null=True, help_text="The tracked repository it works on, when it was started on one."
    )
    progress_pct = serializers.FloatField()
    bytes_done = serializers.IntegerField()
    bytes_total = serializers.IntegerField(allow_null=True)
    rate_bps = serializers.IntegerField()
    eta_s = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    error_code = serializers.CharField()
    error_message = serializers.CharField()


class DownloadDetailSerializer(DownloadSummarySerializer):
    owner_id = serializers.UUIDField(allow_null=True, help_text="Null: a job of the service.")
    files = FileCountsSerializer()
    log = serializers.ListField(
        child=serializers.DictField(), help_text="The last lines; `/v1/jobs/{id}/logs` has all."
    )


class DownloadFileSerializer(serializers.ModelSerializer[DownloadFile]):
    class Meta:
        model = DownloadFile
        fields = ["path", "status", "size_bytes", "bytes_done"]
        read_only_fields = fields


class DownloadQuerySerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=STATES, required=False)
    kind = serializers.ChoiceField(choices=TYPES, required=False)


FILE_STATES = [state.value for state in FileState]


class RemoveSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField(
        default=False, help_text="Only tell what it would free; nothing is removed."
    )


class RemovedSerializer(serializers.Serializer[Any]):
    removed = serializers.BooleanField(help_text="False after a dry run.")
    freed_bytes = serializers.IntegerField(help_text="Bytes that nothing else uses.")
    kept_bytes = serializers.IntegerField(help_text="Bytes that other models still use.")
