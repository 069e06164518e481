"""What browsing takes and answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from downloader.hub.api.parameters import REVISION_LENGTH
from downloader.hub.browsing import FROM_HUB, FROM_MIRROR
from downloader.hub.models import RepoStatus

NAME = r"\A[A-Za-z0-9_](?:[\w.-]{0,94}[\w-])?\Z"
URL_LENGTH = 8_000
PATH_LENGTH = 1024
SOURCE_HELP = "`mirror`: the hub could not be asked, and this is what the last sync wrote down."


class UrlSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(
        max_length=URL_LENGTH,
        help_text="The address of a page, of a `/tree/`, `/blob/` or `/resolve/` below it, or "
        "`author/repo`.",
    )


class ParsedSerializer(serializers.Serializer[Any]):
    author = serializers.CharField(help_text="Empty for a repository of the old kind, without one.")
    repo = serializers.CharField()
    revision = serializers.CharField(allow_null=True, help_text="Null when none is named.")
    path = serializers.CharField(allow_null=True)


class RepositoryQuerySerializer(serializers.Serializer[Any]):
    author = serializers.RegexField(NAME, required=False, help_text="Absent: it has none.")
    repo = serializers.RegexField(NAME)
    refresh = serializers.BooleanField(
        required=False, help_text="Ask the hub now; otherwise an answer may be a minute old."
    )


class RevisionQuerySerializer(RepositoryQuerySerializer):
    revision = serializers.CharField(
        max_length=REVISION_LENGTH, required=False, help_text="Absent: `main`."
    )


class TreeQuerySerializer(RevisionQuerySerializer):
    path = serializers.CharField(max_length=PATH_LENGTH, required=False, allow_blank=True)
    recursive = serializers.BooleanField(
        required=False, help_text="All files below `path`, without the folders."
    )
    cursor = serializers.CharField(
        required=False, help_text="`next_cursor` of the page before; absent for the first page."
    )


class FileQuerySerializer(serializers.Serializer[Any]):
    author = serializers.RegexField(NAME, required=False, help_text="Absent: it has none.")
    repo = serializers.RegexField(NAME)
    revision = serializers.CharField(
        max_length=REVISION_LENGTH, required=False, help_text="Absent: `main`."
    )
    path = serializers.CharField(max_length=PATH_LENGTH)


class RefSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    commit = serializers.CharField()


class SourcedSerializer(serializers.Serializer[Any]):
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field of that name
        choices=[FROM_HUB, FROM_MIRROR], help_text=SOURCE_HELP
    )


class RefsSerializer(SourcedSerializer):
    branches = RefSerializer(many=True)
    tags = RefSerializer(many=True)


class TreeEntrySerializer(serializers.Serializer[Any]):
    path = serializers.CharField(help_text="From the top of the repository.")
    size_bytes = serializers.IntegerField(allow_null=True)
    type = serializers.ChoiceField(choices=["file", "dir"])
    sha256 = serializers.CharField(allow_null=True, help_text="Where it is known.")
    local = serializers.BooleanField(
        help_text="Its bytes are here; of a folder: all that may be fetched, by the last sync."
    )
    kind = serializers.CharField(allow_null=True, help_text="What its name says it is for.")
    format = serializers.CharField(allow_null=True)


class TreeSerializer(SourcedSerializer):
    files = TreeEntrySerializer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    commit = serializers.CharField(allow_null=True, help_text="Where it is known.")


class TensorsSerializer(serializers.Serializer[Any]):
    tensor_count = serializers.IntegerField()
    parameter_count = serializers.IntegerField()
    dtypes = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many parameters have each type of number."
    )
    header_bytes = serializers.IntegerField()
    metadata = serializers.DictField(child=serializers.CharField(allow_blank=True))


class FileSerializer(SourcedSerializer):
    path = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)
    kind = serializers.CharField()
    format = serializers.CharField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)
    local = serializers.BooleanField()
    commit = serializers.CharField(allow_null=True)
    json = serializers.JSONField(
        allow_null=True, help_text="The content of a JSON file of up to 1 MiB."
    )
    safetensors = TensorsSerializer(
        allow_null=True, help_text="What the header of a safetensors file says."
    )
    problem = serializers.CharField(
        allow_null=True, help_text="Why the content of a file of these kinds is not shown."
    )


class RepositorySerializer(SourcedSerializer):
    author = serializers.CharField()
    repo = serializers.CharField()
    revision = serializers.CharField()
    commit = serializers.CharField()
    licence = serializers.CharField(allow_null=True)
    gated = serializers.BooleanField()
    private = serializers.BooleanField()
    tags = serializers.ListField(child=serializers.CharField())
    library = serializers.CharField(allow_null=True)
    pipeline = serializers.CharField(allow_null=True)
    file_count = serializers.IntegerField()
    size_bytes = serializers.IntegerField(
        allow_null=True, help_text="By the last sync; null when it is not tracked."
    )
    repo_id = serializers.UUIDField(allow_null=True, help_text="Of the tracked repository.")
    status = serializers.ChoiceField(
        choices=[status.value for status in RepoStatus], allow_null=True
    )
    is_downloaded = serializers.BooleanField()
