"""Addresses under `/v1/` that are about jobs and queues."""

from __future__ import annotations

from django.urls import path

from jobs.api import actions, follow, queues, views

urlpatterns = [
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs:requeue-dead", actions.RequeueDeadView.as_view(), name="jobs-requeue-dead"),
    path("jobs/<uuid:job_id>", views.JobDetailView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel", actions.JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/requeue", actions.JobRequeueView.as_view(), name="job-requeue"),
    path("jobs/<uuid:job_id>/logs", follow.JobLogsView.as_view(), name="job-logs"),
    path("jobs/<uuid:job_id>/progress", follow.JobProgressView.as_view(), name="job-progress"),
    path("jobs/<uuid:job_id>/progress/stream", follow.JobStreamView.as_view(), name="job-stream"),
    path("queues", queues.QueuesView.as_view(), name="queues"),
    path("queues/<str:name>/pause", queues.QueuePauseView.as_view(), name="queue-pause"),
    path("queues/<str:name>/resume", queues.QueueResumeView.as_view(), name="queue-resume"),
]
