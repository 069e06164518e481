"""Looking for news of a tracked repository, and approving an update."""

from __future__ import annotations

import uuid
from functools import partial

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from downloader.api import examples as download_examples
from downloader.api.posting import (
    ANSWERS,
    PARAMETERS,
    Along,
    JobPost,
    NothingSerializer,
    accepted,
)
from downloader.hub import registering, updating
from downloader.hub.api import examples
from downloader.kinds import UPDATE, WATCH
from jobs.api.access import caller
from jobs.models import Job

STARTED = examples.accepted("stabilityai/sdxl-turbo@main is being looked at.")


class CheckView(JobPost):
    serializer_class = NothingSerializer
    type_name = WATCH.name
    error_codes = (*JobPost.error_codes, "not_found")

    @extend_schema(
        operation_id="hub_check",
        summary="Look for news of a repository",
        description="Asks its source where the branch stands. When it has moved, the difference "
        "is written down as its `update`; nothing is fetched, unless the repository has "
        "`auto_sync`. Needs the permission `downloader.add_download`.",
        request=None,
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[STARTED, download_examples.DETAIL],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        self.wanted(request)
        repo = registering.get(repo_id)

        make = partial(self.submitted, {"repo_ids": [str(repo.pk)]})
        message = f"{repo} is being looked at."
        return self.start(request, f"hub.check:{repo.pk}", make, accepted(message))


class UpdateView(JobPost):
    serializer_class = NothingSerializer
    type_name = UPDATE.name
    error_codes = (*JobPost.error_codes, "not_found", "invalid_state")

    @extend_schema(
        operation_id="hub_update",
        summary="Approve an update",
        description="Brings the branch to its newest commit: the files that were downloaded "
        "before, and new ones of the same sort beside them. Only bytes that changed are fetched, "
        "and the older commit stays under its own name. 409 when no update is known. Needs the "
        "permission `downloader.add_download`.",
        request=None,
        parameters=PARAMETERS,
        responses=ANSWERS,
        examples=[STARTED, download_examples.DETAIL],
        tags=["hub"],
    )
    def post(self, request: Request, repo_id: uuid.UUID) -> Response:
        self.wanted(request)
        repo = registering.get(repo_id)

        def make(along: Along) -> Job:
            return updating.approve(repo, caller(request), along=along)

        message = f"{repo} is being updated to {repo.update_commit[:12]}."
        return self.start(request, f"hub.update:{repo.pk}", make, accepted(message))
