"""Addresses under `/v1/` that are about tracked repositories and the disk they lie on."""

from __future__ import annotations

from django.urls import path

from downloader.hub.api import reconcile, watch

urlpatterns = [
    path("hub/scan", reconcile.ScanView.as_view(), name="hub-scan"),
    path("hub/models/<uuid:repo_id>/rescan", reconcile.RescanView.as_view(), name="hub-rescan"),
    path(
        "hub/models/<uuid:repo_id>/mark-missing",
        reconcile.MarkMissingView.as_view(),
        name="hub-mark-missing",
    ),
    path("hub/models/<uuid:repo_id>/verify", reconcile.VerifyView.as_view(), name="hub-verify"),
    path("hub/models/<uuid:repo_id>/check", watch.CheckView.as_view(), name="hub-check"),
    path("hub/models/<uuid:repo_id>/update", watch.UpdateView.as_view(), name="hub-update"),
]
