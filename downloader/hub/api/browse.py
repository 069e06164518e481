"""Looking at the hub's repositories, whether or not they are tracked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from downloader.hub import browsing, peeking, recalling
from downloader.hub.api import browse_examples as examples
from downloader.hub.api import browse_serializers as serializers
from downloader.hub.models import Repo
from downloader.hub.recalling import Place


class Browsing(GenericAPIView[Repo]):
    queryset = Repo.objects.none()
    scope = "models"
    error_codes: tuple[str, ...] = ("not_found", "upstream_error", "upstream_gated", "rate_limited")
    query: dict[str, Any]

    @property
    def place(self) -> Place:
        asked = self.query
        names = asked.get("author", ""), asked["repo"]
        found = recalling.place(*names, asked.get("revision"), asked.get("path", ""))
        return replace(found, deep=asked.get("recursive", False))

    @property
    def refresh(self) -> bool:
        return bool(self.query.get("refresh"))


class ParseUrlView(GenericAPIView[Repo]):
    serializer_class = serializers.UrlSerializer
    queryset = Repo.objects.none()
    scope = "models"

    @extend_schema(
        operation_id="hf_parse_url",
        summary="Read a pasted address",
        description="Which repository, revision and path an address names. Nobody is asked.",
        responses={200: serializers.ParsedSerializer},
        examples=[examples.ADDRESS, examples.PARTS],
        tags=["hf"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        found = browsing.read(wanted.validated_data["url"])
        return Response(serializers.ParsedSerializer(found).data)


class RefsView(Browsing):
    query_serializer_class = {"GET": serializers.RepositoryQuerySerializer}

    @extend_schema(
        operation_id="hf_refs",
        summary="Branches and tags",
        description="Of a repository of the hub, tracked or not.",
        responses={200: serializers.RefsSerializer},
        examples=[examples.REFS],
        tags=["hf"],
    )
    def get(self, request: Request) -> Response:
        found = browsing.refs(self.place, refresh=self.refresh)
        return Response(serializers.RefsSerializer(found).data)


class RepoView(Browsing):
    query_serializer_class = {"GET": serializers.RevisionQuerySerializer}

    @extend_schema(
        operation_id="hf_repo",
        summary="Look at a repository",
        description="The facts of its card, the commit of the revision, and whether it is tracked.",
        responses={200: serializers.RepositorySerializer},
        examples=[examples.REPOSITORY],
        tags=["hf"],
    )
    def get(self, request: Request) -> Response:
        found = browsing.repository(self.place, refresh=self.refresh)
        return Response(serializers.RepositorySerializer(found).data)


class TreeView(Browsing):
    query_serializer_class = {"GET": serializers.TreeQuerySerializer}

    @extend_schema(
        operation_id="hf_tree",
        summary="Files and folders",
        description="Those directly below `path`, one page; `local` says what of it is here. With "
        "`recursive`, all files below it and no folders.",
        responses={200: serializers.TreeSerializer},
        examples=[examples.TREE],
        tags=["hf"],
    )
    def get(self, request: Request) -> Response:
        found = browsing.tree(self.place, self.query.get("cursor"), refresh=self.refresh)
        response = Response(serializers.TreeSerializer(found).data)
        if found["next_cursor"] is not None:
            here = request.build_absolute_uri()
            following = replace_query_param(here, "cursor", found["next_cursor"])
            response["Link"] = f'<{following}>; rel="next"'
        return response


class FileView(Browsing):
    query_serializer_class = {"GET": serializers.FileQuerySerializer}

    @extend_schema(
        operation_id="hf_file",
        summary="Look into a file",
        description="What it is, the content of a JSON file, the summary of a safetensors header. "
        "The file is not downloaded: only the bytes that this needs are read.",
        responses={200: serializers.FileSerializer},
        examples=[examples.FILE],
        tags=["hf"],
    )
    def get(self, request: Request) -> Response:
        return Response(serializers.FileSerializer(peeking.file(self.place)).data)
