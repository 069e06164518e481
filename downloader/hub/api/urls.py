"""Addresses under `/v1/` that are about tracked repositories and the disk they lie on."""

from __future__ import annotations

from django.urls import path

from downloader.hub.api import browse, reconcile, repos, watch, work

urlpatterns = [
    path("hf/parse-url", browse.ParseUrlView.as_view(), name="hf-parse-url"),
    path("hf/refs", browse.RefsView.as_view(), name="hf-refs"),
    path("hf/tree", browse.TreeView.as_view(), name="hf-tree"),
    path("hf/file", browse.FileView.as_view(), name="hf-file"),
    path("hf/repo", browse.RepoView.as_view(), name="hf-repo"),
    path("hub/register", repos.RegisterView.as_view(), name="hub-register"),
    path("hub/sync", work.SyncView.as_view(), name="hub-sync"),
    path("hub/download", work.HubDownloadView.as_view(), name="hub-download"),
    path("hub/jobs", work.HubJobsView.as_view(), name="hub-jobs"),
    path("hub/jobs/<uuid:job_id>", work.HubJobView.as_view(), name="hub-job"),
    path("hub/models", repos.ReposView.as_view(), name="hub-models"),
    path("hub/models/<uuid:repo_id>", repos.RepoView.as_view(), name="hub-model"),
    path("hub/models/<uuid:repo_id>/files", repos.FilesView.as_view(), name="hub-files"),
    path("hub/models/<uuid:repo_id>/install", work.InstallView.as_view(), name="hub-install"),
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
