"""The API about itself: its map, its version, its OpenAPI document and the pages that show that."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dreamforge_site import __version__
from dreamforge_site.api import schema
from dreamforge_site.api.strictness import DeclaredQuery

NAME = "dreamforge"
API = "v1"
# Nothing these pages load may come from elsewhere.
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; font-src 'self' data:; worker-src blob:; "
    "style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'"
)

# May be kept, but asked for again: the next version of the service has another document.
SAME_FOR_ALL = {"Cache-Control": "no-cache"}


class OpenView(APIView):
    """Open to everybody, whatever credentials come along."""

    authentication_classes = []
    permission_classes = [AllowAny, DeclaredQuery]


class VersionSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField(help_text="Version of the service.")
    api = serializers.CharField(help_text="Version of the API, as in its addresses.")


class OperationSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    method = serializers.CharField()
    path = serializers.CharField()
    summary = serializers.CharField()


class IndexSerializer(VersionSerializer):
    links = serializers.DictField(child=serializers.CharField())
    operations = OperationSerializer(many=True)


LINKS = {
    "docs": "/v1/docs",
    "redoc": "/v1/redoc",
    "schema": "/v1/schema",
    "version": "/v1/version",
    "health": "/healthz",
    "ready": "/readyz",
    "admin": "/admin/",
}
VERSION = {"name": NAME, "version": __version__, "api": API}
VERSION_EXAMPLE = {"name": NAME, "version": "0.1.0", "api": API}
INDEX_EXAMPLE = {
    **VERSION_EXAMPLE,
    "links": LINKS,
    "operations": [
        {
            "id": "version",
            "method": "GET",
            "path": "/v1/version",
            "summary": "Which version is this?",
        }
    ],
}


class IndexView(OpenView):
    """The map of the API."""

    @extend_schema(
        operation_id="index",
        summary="Map of the API",
        description="Every operation, and where the documentation is.",
        responses={200: IndexSerializer},
        examples=[OpenApiExample("Map", value=INDEX_EXAMPLE)],
        tags=["about"],
    )
    def get(self, request: Request) -> Response:
        return Response({**VERSION, "links": LINKS, "operations": _operations()})


class VersionView(OpenView):
    """Which version of the service answers."""

    @extend_schema(
        operation_id="version",
        summary="Which version is this?",
        description="The version of the service and of its API; open to everybody.",
        responses={200: VersionSerializer},
        examples=[OpenApiExample("Version", value=VERSION_EXAMPLE)],
        tags=["about"],
    )
    def get(self, request: Request) -> Response:
        return Response(VERSION)


class SchemaQuery(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=["json", "yaml"], required=False)


class SchemaView(OpenView):
    """The OpenAPI document; `?format=yaml` or `Accept: application/yaml` for YAML."""

    schema = None
    query_serializer_class = SchemaQuery
    renderer_classes = [
        OpenApiJsonRenderer2,
        OpenApiJsonRenderer,
        OpenApiYamlRenderer2,
        OpenApiYamlRenderer,
    ]

    def get(self, request: Request) -> Response:
        return Response(schema.document(), headers=SAME_FOR_ALL)

    def get_format_suffix(self, **kwargs: Any) -> str | None:
        wanted = self.request.query_params.get("format")
        return wanted if wanted in ("json", "yaml") else None  # DeclaredQuery refuses the rest


class DocumentationView(OpenView):
    """A page that draws the document, from the files of this installation alone."""

    schema = None
    renderer_classes = [TemplateHTMLRenderer]
    template_name = ""
    caching: ClassVar[dict[str, str]] = {}

    def get(self, request: Request) -> HttpResponse:
        headers = {"Content-Security-Policy": PAGE_POLICY, **self.caching}
        return Response({}, template_name=self.template_name, headers=headers)


def _operations() -> list[dict[str, str]]:
    return [
        {
            "id": operation["operationId"],
            "method": method.upper(),
            "path": path,
            "summary": operation["summary"],
        }
        for path, methods in schema.document()["paths"].items()
        for method, operation in methods.items()
    ]
