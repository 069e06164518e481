"""Starting work on tracked repositories: sync, download, install; and looking at its jobs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from downloader import configured, kinds
from downloader.api import downloads
from downloader.api import examples as download_examples
from downloader.api import serializers as download_serializers
from downloader.api.posting import ANSWERS, PARAMETERS, Along, JobPost, accepted
from downloader.hub import installing, registering, selecting, snapshots
from downloader.hub.api import examples, serializers
from downloader.hub.api.parameters import InstallOptionsSerializer
from downloader.hub.models import Repo
from downloader.library.refs import Ref
from jobs.api import documentation, queries
from jobs.models import Job


class SyncView(JobPost):
    serializer_class = serializers.HubSyncSerializer
    type_name = kinds.SYNC.name
    error_codes = (*JobPost.error_codes, "not_found")

    @extend_schema(
        operation_id="hub_sync",
        summary="Sync a repository",
        description="Asks its source for the list of files and fetches the small ones that "
        "describe it. Files of an older commit stay. Needs the permission "
        "`downloader.add_download`.",
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[
            examples.SYNC,
            examples.accepted("stabilityai/sdxl-turbo@main is synced."),
            download_examples.DETAIL,
        ],
        tags=["hub"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.wanted(request)
        repo = registering.named(wanted["repo_id"], wanted.get("revision"))
        revision = registering.checked_revision(Ref(repo.source, ""), wanted.get("revision"))

        def make(along: Along) -> Job:
            named = revision if "revision" in wanted else None
            return self.submitted({"repo_id": str(repo.pk), "revision": named}, along)

        message = f"The sync of {repo.full_name} is queued."
        return self.start(request, "hub.sync", make, accepted(message))


class HubDownloadView(JobPost):
    serializer_class = serializers.HubDownloadSerializer
    type_name = kinds.MIRROR.name
    error_codes = (*JobPost.error_codes, "already_downloaded")

    @extend_schema(
        operation_id="hub_download",
        summary="Download files of tracked repositories",
        description="Fetches, verifies and shows them below the models root. 409 when all of them "
        "are here, unless `force`. Needs the permission `downloader.add_download`.",
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[
            examples.DOWNLOAD,
            examples.accepted("The download of 1 file is queued."),
            download_examples.DETAIL,
        ],
        tags=["hub"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.wanted(request)
        ids = list(dict.fromkeys(wanted["artifact_ids"]))

        def make(along: Along) -> Job:
            chosen = selecting.by_ids([uuid.UUID(id_) for id_ in ids])
            if not wanted["force"]:
                selecting.refuse_nothing_to_do(chosen)
            return self.submitted({"artifact_ids": ids, "force": wanted["force"]}, along)

        message = f"The download of {len(ids)} file{'s' if len(ids) > 1 else ''} is queued."
        return self.start(request, "hub.download", make, accepted(message))


class InstallView(JobPost):
    serializer_class = InstallOptionsSerializer
    type_name = kinds.INSTALL.name
    error_codes = (*JobPost.error_codes, "not_found", "invalid_state")

    @extend_schema(
        operation_id="hub_models_install",
        summary="Install a tracked repository as a model",
        description="Makes a model of the files, or of one, and registers it. What is here is not "
        "fetched again, so it works with the source away. 409 when its files are not known yet: "
        "sync it first. Needs the permission `downloader.add_download`.",
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[
            examples.INSTALL,
            examples.accepted("The installation is queued."),
            download_examples.DETAIL,
        ],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        wanted = self.wanted(request)
        repo = registering.get(repo_id)

        def make(along: Along) -> Job:
            _check(repo, wanted)
            return self.submitted({**wanted, "repo_id": str(repo.pk)}, along)

        message = f"The installation of {repo.full_name} is queued."
        return self.start(request, f"hub.install:{repo.pk}", make, accepted(message))


def _check(repo: Repo, wanted: Mapping[str, Any]) -> None:
    """What cannot be installed is refused at the door. Nobody is asked."""
    snapshot = selecting.snapshot_of(repo, wanted.get("commit"))
    resolved = snapshots.resolved(repo, snapshot)
    named = {name: wanted.get(name) for name in ("kind", "name", "version", "path")}
    with configured.tools() as tools:
        installing.planned(resolved, tools, **named)


class HubJobSummarySerializer(download_serializers.DownloadSummarySerializer):
    """A download in the hub's list, whose page has another name for it."""


class HubJobsView(downloads.DownloadsList):
    query_serializer_class = {"GET": download_serializers.DownloadQuerySerializer}
    list_key = "jobs"

    @extend_schema(
        operation_id="hub_jobs_list",
        summary="List the hub's jobs",
        description="The same records as `/v1/downloads`.",
        responses={200: HubJobSummarySerializer(many=True)},
        examples=[download_examples.SUMMARY],
        tags=["hub"],
    )
    def get(self, request: Request) -> Response:
        return self.page(request)


class HubJobView(downloads.DownloadView):
    query_serializer_class = {"GET": queries.WaitQuerySerializer}

    @extend_schema(
        operation_id="hub_jobs_get",
        summary="Look at a job of the hub",
        description="The same record as `/v1/downloads/{id}`.",
        parameters=[documentation.PREFER, documentation.PREFERENCE_APPLIED],
        responses={200: download_serializers.DownloadDetailSerializer},
        examples=[download_examples.DETAIL],
        tags=["hub"],
    )
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        return super().get(request, job_id)
