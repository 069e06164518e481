"""Addresses under `/v1/` that are about images."""

from __future__ import annotations

from django.urls import path

from jobs.generation.api import artifacts, gallery, presets, replay, verify

urlpatterns = [
    path("jobs/<uuid:job_id>/artifacts", artifacts.ArtifactsView.as_view(), name="job-artifacts"),
    path("jobs/<uuid:job_id>/replay", replay.JobReplayView.as_view(), name="job-replay"),
    path("artifacts", gallery.GalleryView.as_view(), name="artifacts"),
    path("artifacts/<uuid:artifact_id>", gallery.ArtifactView.as_view(), name="artifact"),
    path(
        "artifacts/<uuid:artifact_id>/file",
        artifacts.ArtifactFileView.as_view(),
        name="artifact-file",
    ),
    path(
        "artifacts/<uuid:artifact_id>/thumbnail",
        artifacts.ArtifactThumbnailView.as_view(),
        name="artifact-thumbnail",
    ),
    path("artifacts:verify", verify.ArtifactsVerifyView.as_view(), name="artifacts-verify"),
    path("presets", presets.PresetsView.as_view(), name="presets"),
]
