"""The site's own addresses, and a view for each way a scope can be declared."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dreamforge_site import urls as site


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
    path("v1/probe", Probe.as_view()),
    path("v1/probe/jobs", JobsProbe.as_view()),
    path("v1/probe/unknown", UnknownScopeProbe.as_view()),
    *site.urlpatterns,
]
