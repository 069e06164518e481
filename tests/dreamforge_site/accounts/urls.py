"""The account calls, the admin, and a view for each way a scope can be declared."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Probe(APIView):
    def get(self, request: Request) -> Response:
        return Response({"caller": request.user.get_username()})

    def post(self, request: Request) -> Response:
        return Response({"caller": request.user.get_username()})


class JobsProbe(Probe):
    scope = "jobs"


class UnknownScopeProbe(Probe):
    scope = "everything"


urlpatterns = [
    path("admin/", admin.site.urls),
    path("v1/auth/", include("dreamforge_site.accounts.api.urls")),
    path("v1/probe", Probe.as_view()),
    path("v1/probe/jobs", JobsProbe.as_view()),
    path("v1/probe/unknown", UnknownScopeProbe.as_view()),
]
