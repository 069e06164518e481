"""Looking at the hub's repositories, whether or not they are tracked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from downloader.hub import browsing, peeking, recalling
from downloader.hub.api import browse_serializers as serializers
from downloader.hub.models import Repo
from downloader.hub.recalling import Place

_COMMIT = "462165984030d82259a11f4367a4eed129e94a7b"
_NAMED = {"author": "stabilityai", "repo": "stable-diffusion-xl-base-1.0"}


def _answer(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200"])


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
        examples=[
            OpenApiExample(
                "A file's page",
                value={"url": "https://huggingface.co/author/repo/blob/main/unet/config.json"},
                request_only=True,
            ),
            _answer(
                "Its parts",
                {
                    "author": "author",
                    "repo": "repo",
                    "revision": "main",
                    "path": "unet/config.json",
                },
            ),
        ],
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
        examples=[
            _answer(
                "One branch",
                {"source": "hub", "branches": [{"name": "main", "commit": _COMMIT}], "tags": []},
            )
        ],
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
        examples=[
            _answer(
                "Not tracked yet",
                {
                    **_NAMED,
                    "source": "hub",
                    "revision": "main",
                    "commit": _COMMIT,
                    "licence": "openrail++",
                    "gated": False,
                    "private": False,
                    "tags": ["diffusers", "text-to-image"],
                    "library": "diffusers",
                    "pipeline": "text-to-image",
                    "file_count": 57,
                    "size_bytes": None,
                    "repo_id": None,
                    "status": None,
                    "is_downloaded": False,
                },
            )
        ],
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
        examples=[
            _answer(
                "A file and a folder",
                {
                    "source": "hub",
                    "commit": None,
                    "next_cursor": None,
                    "files": [
                        {
                            "path": "unet",
                            "size_bytes": None,
                            "type": "dir",
                            "sha256": None,
                            "local": False,
                            "kind": None,
                            "format": None,
                        },
                        {
                            "path": "model_index.json",
                            "size_bytes": 609,
                            "type": "file",
                            "sha256": None,
                            "local": True,
                            "kind": "config",
                            "format": None,
                        },
                    ],
                },
            )
        ],
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
        examples=[
            _answer(
                "Weights",
                {
                    "source": "hub",
                    "path": "vae/diffusion_pytorch_model.safetensors",
                    "size_bytes": 334_643_268,
                    "kind": "model",
                    "format": "safetensors",
                    "sha256": "1598f3d24932bcfe6634e8b618ea1e30ab1d57f5aad13a6d2de446d2199f2341",
                    "local": False,
                    "commit": _COMMIT,
                    "json": None,
                    "safetensors": {
                        "tensor_count": 248,
                        "parameter_count": 83_653_863,
                        "dtypes": {"F32": 83_653_863},
                        "header_bytes": 27_808,
                        "metadata": {"format": "pt"},
                    },
                    "problem": None,
                },
            )
        ],
        tags=["hf"],
    )
    def get(self, request: Request) -> Response:
        return Response(serializers.FileSerializer(peeking.file(self.place)).data)
