"""What the calls about tracked repositories take and answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from downloader.hub.api.browse_serializers import NAME
from downloader.hub.api.parameters import MOST_FILES, REVISION_LENGTH, EntrySerializer
from downloader.hub.models import FileType, Repo, RepoFile, RepoStatus, Snapshot
from downloader.kinds import TYPES
from downloader.library.watch import FileState
from jobs.api.serializers import STATES

REF_LENGTH = 2048
STATUSES = [status.value for status in RepoStatus]
FILE_STATES = [state.value for state in FileState]
FILE_TYPES = [type_.value for type_ in FileType]


# Bodies


class RegisterSerializer(serializers.Serializer[Any]):
    source_repo_id = serializers.CharField(
        max_length=REF_LENGTH, help_text="`author/name`, or the address of its page."
    )
    revision = serializers.CharField(
        max_length=REVISION_LENGTH, required=False, help_text="Absent: `main`."
    )
    auto_sync = serializers.BooleanField(
        default=False, help_text="Sync by itself when its source has news."
    )
    vendor = serializers.CharField(
        max_length=96, required=False, help_text="The author once more; must be the same."
    )
    name = serializers.CharField(
        max_length=96, required=False, help_text="The name once more; must be the same."
    )


class HubSyncSerializer(serializers.Serializer[Any]):
    repo_id = serializers.CharField(
        max_length=REF_LENGTH, help_text="The id of a registered repository, or `author/name`."
    )
    revision = serializers.CharField(
        max_length=REVISION_LENGTH,
        required=False,
        help_text="Another revision than the one that is registered; it is registered, too.",
    )


class HubDownloadSerializer(serializers.Serializer[Any]):
    artifact_ids = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=MOST_FILES,
        help_text="Ids of files, from the list of a repository's files.",
    )
    force = serializers.BooleanField(
        default=False, help_text="Read what is here again, and fetch what is damaged."
    )


class DownloadPostSerializer(serializers.Serializer[Any]):
    author = serializers.RegexField(NAME, required=False, help_text="Absent: it has none.")
    repo = serializers.RegexField(NAME)
    revision = serializers.CharField(
        max_length=REVISION_LENGTH, required=False, help_text="Absent: `main`."
    )
    selection = serializers.ListField(
        child=EntrySerializer(),
        required=False,
        max_length=MOST_FILES,
        help_text="Files, folders and patterns. Absent or empty: the whole repository.",
    )
    force = serializers.BooleanField(
        default=False, help_text="Read what is here again, and fetch what is damaged."
    )


class RepoPatchSerializer(serializers.Serializer[Any]):
    auto_sync = serializers.BooleanField()


# Queries


class RepoQuerySerializer(serializers.Serializer[Any]):
    author = serializers.CharField(max_length=96, required=False)
    repo = serializers.CharField(max_length=96, required=False)
    revision = serializers.CharField(max_length=REVISION_LENGTH, required=False)
    downloaded = serializers.BooleanField(required=False)
    status = serializers.ChoiceField(choices=STATUSES, required=False)
    q = serializers.CharField(
        max_length=200,
        required=False,
        help_text="A part of the author or of the name; with a slash, of both.",
    )


class FileQuerySerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=FILE_STATES, required=False)
    type = serializers.ChoiceField(choices=FILE_TYPES, required=False)
    path = serializers.CharField(
        max_length=1024, required=False, help_text="What the path begins with."
    )
    q = serializers.CharField(max_length=200, required=False, help_text="A part of the path.")
    commit = serializers.RegexField(
        r"\A[0-9a-f]{40,64}\Z", required=False, help_text="An older commit that is still known."
    )


class ForgetQuerySerializer(serializers.Serializer[Any]):
    files = serializers.BooleanField(
        required=False, help_text="Also its folders, and bytes that nothing else uses."
    )
    dry_run = serializers.BooleanField(
        required=False, help_text="Only tell what it would free; nothing is removed."
    )


# Answers


class WorkSerializer(serializers.Serializer[Any]):
    """A job that waits for a repository or works on it."""

    job_id = serializers.UUIDField(allow_null=True, help_text="Null when it is somebody else's.")
    kind = serializers.ChoiceField(choices=TYPES)
    status = serializers.ChoiceField(choices=STATES)
    progress = serializers.FloatField()


class RepoSerializer(serializers.ModelSerializer[Repo]):
    """A tracked repository in a list."""

    # The context's `work` is what `working.on` found for the repositories that are shown.
    repo = serializers.CharField(source="name")
    commit = serializers.CharField(allow_blank=True, help_text="Of the last sync; empty before.")
    file_count = serializers.SerializerMethodField()
    size_bytes = serializers.SerializerMethodField()
    done_count = serializers.SerializerMethodField()
    done_bytes = serializers.SerializerMethodField()
    folder = serializers.SerializerMethodField(
        help_text="Where its files can be seen, below the models root; empty when none is here."
    )
    work = serializers.SerializerMethodField(
        help_text="The job that works on it now, or that waits to."
    )

    class Meta:
        model = Repo
        fields = [
            "id",
            "source",
            "author",
            "repo",
            "revision",
            "status",
            "commit",
            "file_count",
            "size_bytes",
            "done_count",
            "done_bytes",
            "folder",
            "is_downloaded",
            "auto_sync",
            "gated",
            "private",
            "licence",
            "page",
            "update_commit",
            "gone_at",
            "checked_at",
            "synced_at",
            "created_at",
            "error_code",
            "error_message",
            "work",
        ]
        read_only_fields = fields

    @extend_schema_field(WorkSerializer(allow_null=True))
    def get_work(self, repo: Repo) -> Any:
        work = self.context["work"].get(repo.pk)
        return WorkSerializer(work).data if work is not None else None

    def get_file_count(self, repo: Repo) -> int:
        return repo.snapshot.file_count if repo.snapshot else 0

    def get_size_bytes(self, repo: Repo) -> int:
        return repo.snapshot.size_bytes if repo.snapshot else 0

    def get_done_count(self, repo: Repo) -> int:
        return repo.snapshot.done_count if repo.snapshot else 0

    def get_done_bytes(self, repo: Repo) -> int:
        return repo.snapshot.done_bytes if repo.snapshot else 0

    def get_folder(self, repo: Repo) -> str:
        return repo.snapshot.folder if repo.snapshot else ""


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    changes = serializers.DictField(help_text="Against the commit before.")

    class Meta:
        model = Snapshot
        fields = [
            "commit",
            "folder",
            "file_count",
            "size_bytes",
            "done_count",
            "done_bytes",
            "changes",
            "taken_at",
        ]
        read_only_fields = fields


class RepoDetailSerializer(RepoSerializer):
    metadata = serializers.DictField(help_text="What its source says of it: tags and the like.")
    update = serializers.DictField(  # type: ignore[assignment]  # a field of that name
        help_text="How the commit that its source has now differs."
    )
    commits = SnapshotSerializer(many=True, help_text="The newest ones that are known.")

    class Meta(RepoSerializer.Meta):
        fields = [*RepoSerializer.Meta.fields, "metadata", "update", "commits"]
        read_only_fields = fields


class RepoFileSerializer(serializers.ModelSerializer[RepoFile]):
    local_path = serializers.SerializerMethodField(
        help_text="Below the models root; null when it is not here."
    )

    class Meta:
        model = RepoFile
        fields = [
            "id",
            "path",
            "size_bytes",
            "type",
            "format",
            "digest",
            "sha256",
            "status",
            "trust",
            "barred",
            "error",
            "verified_at",
            "local_path",
        ]
        read_only_fields = fields

    def get_local_path(self, file: RepoFile) -> str | None:
        folder = self.context.get("folder")
        return f"{folder}/{file.path}" if folder and file.is_here else None


class ForgottenSerializer(serializers.Serializer[Any]):
    forgotten = serializers.BooleanField(help_text="False after a dry run.")
    freed_bytes = serializers.IntegerField(help_text="Bytes that nothing else uses.")
    kept_bytes = serializers.IntegerField(help_text="Bytes that something else still uses.")
