"""A small site on the real plumbing: what the generic behaviour is tested on."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, re_path
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from dreamforge_site.accounts.models import User
from dreamforge_site.api import failures

SECRET = "postgresql://owner:hunter2@db.internal/forge"


class WebhookSerializer(serializers.Serializer[Any]):
    url = serializers.CharField()


class PictureSerializer(serializers.Serializer[Any]):
    prompt = serializers.CharField(max_length=4096)
    steps = serializers.IntegerField(min_value=1, max_value=200, default=30)
    seed = serializers.IntegerField(min_value=0, max_value=2**53 - 1, required=False)
    guidance = serializers.FloatField(default=7.0)
    embed = serializers.BooleanField(default=True)
    format = serializers.ChoiceField(choices=["png", "jpg", "1"], default="png")
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    labels = serializers.DictField(child=serializers.IntegerField(), required=False)
    styles = serializers.MultipleChoiceField(choices=["a", "b"], required=False)
    webhook = WebhookSerializer(required=False)
    extra = serializers.JSONField(required=False)
    id = serializers.UUIDField(read_only=True)


class FilterSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["queued", "running"], required=False)
    enabled = serializers.BooleanField(required=False)


class OpenView(APIView):
    authentication_classes = []
    permission_classes: Any = api_settings.DEFAULT_PERMISSION_CLASSES[-1:]


class PicturesView(OpenView):
    """Pictures, described by their bodies."""

    serializer_class = PictureSerializer
    query_serializer_class: ClassVar[dict[str, Any]] = {"GET": FilterSerializer}
    query: dict[str, Any]

    def get(self, request: Request) -> Response:
        return Response({"query": self.query})

    def post(self, request: Request) -> Response:
        picture = PictureSerializer(data=request.data)
        picture.is_valid(raise_exception=True)
        return Response(picture.validated_data, status=201)


class CancelView(OpenView):
    """Takes no body at all."""

    def post(self, request: Request) -> Response:
        return Response({"canceled": True}, status=202)


class CallerSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("username", "date_joined")


class CallersView(OpenView, GenericAPIView[User]):
    serializer_class = CallerSerializer
    queryset = User.objects.all()
    query_serializer_class = FilterSerializer
    list_key = "callers"
    keyset: tuple[str, ...] = ("-date_joined", "-id")

    @extend_schema(examples=[OpenApiExample("One", value={"username": "a"})])
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(CallerSerializer(page, many=True).data)


class OtherCallersView(CallersView):
    """Same rows in the same order, another list."""

    def post(self, request: Request) -> Response:
        return Response({"username": "made"}, status=201)


class RowsView(CallersView):
    """The same list as plain values, by name."""

    keyset = ("username",)
    list_key = "rows"

    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset().values("username"))
        return self.get_paginated_response(page)


class FeaturesError(Exception):
    """An app's own exception: it knows the code, and nothing of HTTP."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code, self.message = code, f"because of {code}"
        self.__dict__.update(facts)


RAISED: dict[str, Exception] = {
    "not-found": Http404(),
    "forbidden": exceptions.PermissionDenied(),
    "unauthenticated": exceptions.NotAuthenticated(),
    "throttled": exceptions.Throttled(wait=7.2),
    "database": OperationalError(f"could not connect to {SECRET}"),
    "interface": InterfaceError("connection already closed"),
    "crash": ZeroDivisionError(SECRET),
    "job": FeaturesError("invalid_state", details={"status": "failed"}, correlation_id="job-7"),
    "slow-down": FeaturesError("rate_limited", retry_after_s=42),
    "many-fields": FeaturesError(
        "invalid_input",
        details={"fields": {str(number): {"deep": ["x" * 9000]} for number in range(10_000)}},
    ),
    "unknown-code": FeaturesError("no_such_code"),
}


class FailingView(OpenView):
    def get(self, request: Request, what: str) -> Response:
        raise RAISED.get(what) or FeaturesError(what)


class UnrenderableView(OpenView):
    def get(self, request: Request) -> Response:
        return Response({"nan": float("nan")})


def crash(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError(SECRET)


class FailingMiddleware:
    """Breaks outside every view."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raise OperationalError(SECRET) if "database" in request.path else ZeroDivisionError(SECRET)


urlpatterns = [
    path("v1/", CancelView.as_view(), name="v1-index"),
    path("v1/docs", CancelView.as_view(), name="v1-docs"),
    path("v1/pictures", PicturesView.as_view()),
    path("v1/cancel", CancelView.as_view()),
    path("v1/callers", CallersView.as_view()),
    path("v1/other-callers", OtherCallersView.as_view()),
    path("v1/rows", RowsView.as_view()),
    path("v1/failing/<str:what>", FailingView.as_view()),
    path("v1/unrenderable", UnrenderableView.as_view()),
    path("crash", crash),
    path("admin/", admin.site.urls),
    path("v1/crash", crash),
    re_path(r"^v1(?:/.*)?$", failures.not_found),
]
handler400 = failures.bad_request
handler403 = failures.permission_denied
handler404 = failures.not_found
handler500 = failures.server_error
