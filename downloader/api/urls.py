"""Addresses under `/v1/` that are about downloads."""

from __future__ import annotations

from django.urls import include, path

from downloader.api import downloads, models

urlpatterns = [
    path("models:download", models.ModelDownloadView.as_view(), name="models-download"),
    path("models:verify", models.ModelsVerifyView.as_view(), name="models-verify"),
    path("models/<uuid:model_id>/remove", models.ModelRemoveView.as_view(), name="model-remove"),
    path("downloads", downloads.DownloadsView.as_view(), name="downloads"),
    path("downloads/<uuid:job_id>", downloads.DownloadView.as_view(), name="download"),
    path("downloads/<uuid:job_id>/files", downloads.FilesView.as_view(), name="download-files"),
    path("downloads/<uuid:job_id>/stream", downloads.StreamView.as_view(), name="download-stream"),
    path("downloads/<uuid:job_id>/cancel", downloads.CancelView.as_view(), name="download-cancel"),
    path("downloads/<uuid:job_id>/retry", downloads.RetryView.as_view(), name="download-retry"),
    path("", include("downloader.hub.api.urls")),
]
