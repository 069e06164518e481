"""Addresses below `/v1/` that are about jobs and queues."""

from __future__ import annotations

from django.urls import path

from jobs.api import views

urlpatterns = [
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs/<uuid:job_id>", views.JobDetailView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel", views.JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/requeue", views.JobRequeueView.as_view(), name="job-requeue"),
    path("jobs/<uuid:job_id>/logs", views.JobLogsView.as_view(), name="job-logs"),
    path("jobs/<uuid:job_id>/progress", views.JobProgressView.as_view(), name="job-progress"),
    path("jobs/<uuid:job_id>/progress/stream", views.JobStreamView.as_view(), name="job-stream"),
    path("queues", views.QueuesView.as_view(), name="queues"),
    path("queues/<str:name>/pause", views.QueuePauseView.as_view(), name="queue-pause"),
    path("queues/<str:name>/resume", views.QueueResumeView.as_view(), name="queue-resume"),
]
