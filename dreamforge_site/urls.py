"""The map of addresses: one line a room, each room keeps its own."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from dreamforge_site.api import failures
from dreamforge_site.settings_page import views as settings_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("dreamforge_site.operations.urls")),
    path("", include("dreamforge_site.api.urls")),
    path("v1/auth/", include("dreamforge_site.accounts.api.urls")),
    path("v1/", include("registry.api.urls")),
    path("v1/", include("jobs.api.urls")),
    path("v1/", include("jobs.webhooks.api.urls")),
    path("v1/", include("jobs.generation.api.urls")),
    path("v1/", include("downloader.api.urls")),
    path("v1/", include("downloader.hub.api.urls")),
    path("openai/v1/", include("jobs.generation.openai.urls")),
    path("hf/", include("downloader.hub.serving.urls")),
    path("admin/settings/", admin.site.admin_view(settings_page.show), name="settings"),
    path("app/", include("dreamforge_site.portal.urls")),
    path("admin/", admin.site.urls),
    # Last: whatever else is under the API's prefixes gets the envelope, in debug mode too, and no
    # redirect to an address with a slash.
    re_path(r"^(?:v1|openai|hf)(?:/.*)?$", failures.not_found, name="unmatched"),
]

handler400 = failures.bad_request
handler403 = failures.permission_denied
handler404 = failures.not_found
handler500 = failures.server_error
