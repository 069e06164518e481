"""Addresses of the API about itself, below `/v1`. None but the map has a slash at its end."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from dreamforge_site.api import views

# Only a redirect: it changes nothing, whatever the method.
INDEX = RedirectView.as_view(pattern_name="v1-index", http_method_names=["get", "head", "options"])

urlpatterns = [
    path("v1", csrf_exempt(INDEX)),
    path("v1/", views.IndexView.as_view(), name="v1-index"),
    path("v1/version", views.VersionView.as_view(), name="v1-version"),
    path("v1/schema", views.SchemaView.as_view(), name="v1-schema"),
    path(
        "v1/docs",
        views.DocumentationView.as_view(template_name="documentation/swagger.html"),
        name="v1-docs",
    ),
    path(
        "v1/redoc",
        views.DocumentationView.as_view(
            template_name="documentation/redoc.html", caching=views.SAME_FOR_ALL
        ),
        name="v1-redoc",
    ),
]
