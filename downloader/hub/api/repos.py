"""Tracked repositories: registering, listing, changing and forgetting them, and their files."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from downloader.api.posting import Declined
from downloader.hub import forgetting, registering, selecting, working
from downloader.hub.api import examples, serializers
from downloader.hub.errors import HubError, NotSynced
from downloader.hub.models import Repo, RepoFile
from downloader.library.errors import DownloadError
from jobs import idempotency
from jobs.api import documentation
from jobs.api.answers import respond
from jobs.errors import NotAllowed
from jobs.idempotency import Reply

ADD, DELETE = "downloader.add_download", "downloader.delete_download"
COMMITS_SHOWN = 20


def _need(request: Request, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise NotAllowed(f"This needs the permission {permission}.")


class RegisterView(GenericAPIView[Repo]):
    serializer_class = serializers.RegisterSerializer
    queryset = Repo.objects.none()
    scope = "models"
    error_codes = ("forbidden", "idempotency_conflict")

    @extend_schema(
        operation_id="hub_register",
        summary="Track a repository",
        description="Puts a revision of a repository on the list; its source is not asked yet. "
        "200 when it was there. Needs the permission `downloader.add_download`.",
        parameters=[documentation.IDEMPOTENCY],
        responses={
            201: serializers.RepoSerializer,
            200: OpenApiResponse(serializers.RepoSerializer, description="It was there."),
        },
        examples=[examples.REGISTER, examples.REGISTERED, examples.STOOD],
        tags=["hub"],
    )
    def post(self, request: Request) -> Response:
        _need(request, ADD)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        reply = idempotency.once(
            caller=str(request.user.pk),
            scope="hub.register",
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda: _registered(body.validated_data, request),
        )
        return respond(reply)


def _registered(wanted: Mapping[str, Any], request: Request) -> Reply:
    try:
        _check_names(wanted)
        repo, is_new = registering.register(
            wanted["source_repo_id"],
            wanted.get("revision"),
            auto_sync=wanted["auto_sync"],
            by=request.user,
        )
    except (HubError, DownloadError) as error:
        raise Declined(error) from error
    context = _context([repo.pk], request)
    shown = dict(serializers.RepoSerializer(registering.get(repo.pk), context=context).data)
    code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return Reply(code, shown, f"/v1/hub/models/{repo.pk}")


def _check_names(wanted: Mapping[str, Any]) -> None:
    """Earlier clients say it twice; it must be the same repository both times."""
    author, _, name = registering.read(wanted["source_repo_id"]).target.rpartition("/")
    wrong = {
        field: [f"source_repo_id says {is_!r}."]
        for field, is_ in (("vendor", author), ("name", name))
        if field in wanted and wanted[field].casefold() != is_.casefold()
    }
    if wrong:
        raise HubError("These name another repository.", details={"fields": wrong})


class ReposView(GenericAPIView[Repo]):
    query_serializer_class = {"GET": serializers.RepoQuerySerializer}
    list_key = "models"
    queryset = Repo.objects.none()
    scope = "models"
    query: dict[str, Any]

    @extend_schema(
        operation_id="hub_models_list",
        summary="List tracked repositories",
        description="Newest first, each with how much of it is here. `downloaded=true`: only those "
        "of which everything is.",
        responses={200: serializers.RepoSerializer(many=True)},
        examples=[examples.REPO],
        tags=["hub"],
    )
    def get(self, request: Request) -> Response:
        fields = {"repo": "name", "downloaded": "is_downloaded"}
        wanted = {fields.get(name, name): value for name, value in self.query.items()}
        words = wanted.pop("q", "")
        repos = Repo.objects.select_related("snapshot").filter(_spoken_of(words), **wanted)
        page = self.paginate_queryset(repos) or []
        context = _context([repo.pk for repo in page], request)
        shown = serializers.RepoSerializer(page, many=True, context=context)
        return self.get_paginated_response(shown.data)


def _spoken_of(words: str) -> Q:
    author, slash, name = words.partition("/")
    if slash:
        return Q(author__iendswith=author, name__istartswith=name)
    return Q(author__icontains=words) | Q(name__icontains=words) if words else Q()


def _context(repo_ids: list[uuid.UUID], request: Request) -> dict[str, Any]:
    return {"work": working.on(repo_ids, request.user)}


class RepoView(GenericAPIView[Repo]):
    serializer_class = serializers.RepoPatchSerializer
    query_serializer_class = {"DELETE": serializers.ForgetQuerySerializer}
    queryset = Repo.objects.none()
    scope = "models"
    error_codes = {
        "PATCH": ("forbidden", "not_found"),
        "DELETE": ("forbidden", "not_found", "invalid_state"),
    }
    query: dict[str, Any]

    @extend_schema(
        operation_id="hub_models_get",
        summary="Look at a tracked repository",
        description="With what its source says of it, and the commits that are known.",
        responses={200: serializers.RepoDetailSerializer},
        examples=[examples.DETAIL],
        tags=["hub"],
    )
    def get(self, request: Request, repo_id: uuid.UUID) -> Response:
        return Response(_detail(registering.get(repo_id), request))

    @extend_schema(
        operation_id="hub_models_change",
        summary="Sync a repository by itself, or not",
        description="Needs the permission `downloader.add_download`.",
        responses={200: serializers.RepoDetailSerializer},
        examples=[examples.PATCH, examples.DETAIL],
        tags=["hub"],
    )
    def patch(self, request: Request, repo_id: uuid.UUID) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        _need(request, ADD)
        repo = registering.get(repo_id)
        registering.set_auto_sync(repo, body.validated_data["auto_sync"], by=request.user)
        return Response(_detail(repo, request))

    @extend_schema(
        operation_id="hub_models_forget",
        summary="Forget a tracked repository",
        description="Takes it off the list. Its files stay on the disk, unless `files=true`: then "
        "its folders go, and the bytes that nothing else uses. 409 while a job works on it. Needs "
        "the permission `downloader.delete_download`.",
        request=None,
        responses={200: serializers.ForgottenSerializer},
        examples=[examples.FORGOTTEN],
        tags=["hub"],
    )
    def delete(self, request: Request, repo_id: uuid.UUID) -> Response:
        _need(request, DELETE)
        forgotten = forgetting.forget(
            registering.get(repo_id),
            files=bool(self.query.get("files")),
            dry_run=bool(self.query.get("dry_run")),
            by=request.user,
        )
        return Response(serializers.ForgottenSerializer(forgotten).data)


def _detail(repo: Repo, request: Request) -> Any:
    repo.commits = repo.snapshots.order_by("-taken_at")[:COMMITS_SHOWN]  # type: ignore[attr-defined]
    context = _context([repo.pk], request)
    return serializers.RepoDetailSerializer(repo, context=context).data


class FilesView(GenericAPIView[RepoFile]):
    query_serializer_class = {"GET": serializers.FileQuerySerializer}
    list_key = "files"
    keyset = ("path",)
    queryset = RepoFile.objects.none()
    scope = "models"
    error_codes = ("not_found",)
    query: dict[str, Any]

    @extend_schema(
        operation_id="hub_models_files",
        summary="A tracked repository's files",
        description="By path, as the last sync saw them; none before the first one. Their `id` is "
        "what `/v1/hub/download` takes.",
        responses={200: serializers.RepoFileSerializer(many=True)},
        examples=[examples.FILE],
        tags=["hub"],
    )
    def get(self, request: Request, repo_id: uuid.UUID) -> Response:
        repo = registering.get(repo_id)
        try:
            snapshot = selecting.snapshot_of(repo, self.query.get("commit"))
        except NotSynced:
            self.paginate_queryset(RepoFile.objects.none())
            return self.get_paginated_response([])
        page = self.paginate_queryset(snapshot.files.filter(*_conditions(self.query)))
        shown = serializers.RepoFileSerializer(page, many=True, context={"folder": snapshot.folder})
        return self.get_paginated_response(shown.data)


def _conditions(query: Mapping[str, Any]) -> list[Q]:
    lookups = {"status": "status", "type": "type", "path": "path__startswith"}
    lookups |= {"q": "path__icontains"}
    return [Q(**{lookups[name]: value}) for name, value in query.items() if name in lookups]
