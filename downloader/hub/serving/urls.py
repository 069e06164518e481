"""Below `/hf/`. What fits none of these is not there, in the hub's form (`refusals.translated`)."""

from __future__ import annotations

from django.urls import path, re_path

from downloader.hub.serving.views import FileView, ModelView, WhoamiView

urlpatterns = [
    path("api/whoami-v2", WhoamiView.as_view(), name="mirror-whoami"),
    re_path(r"^api/models/(?P<path>(?s:.+))$", ModelView.as_view(), name="mirror-model"),
    re_path(
        r"^(?P<path>[^/]+(?:/[^/]+)?/resolve/(?s:.+))$", FileView.as_view(), name="mirror-file"
    ),
]
