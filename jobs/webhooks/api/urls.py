"""Addresses under `/v1/` that are about webhooks."""

from __future__ import annotations

from django.urls import path

from jobs.webhooks.api import delivery_views, views

urlpatterns = [
    path("webhooks", views.WebhooksView.as_view(), name="webhooks"),
    path("webhooks/secret", views.AccountSecretView.as_view(), name="webhook-account-secret"),
    path("webhooks/deliveries", delivery_views.DeliveriesView.as_view(), name="deliveries"),
    path(
        "webhooks/deliveries/<uuid:delivery_id>",
        delivery_views.DeliveryView.as_view(),
        name="delivery",
    ),
    path(
        "webhooks/deliveries/<uuid:delivery_id>/resend",
        delivery_views.ResendView.as_view(),
        name="delivery-resend",
    ),
    path("webhooks/<uuid:webhook_id>", views.WebhookView.as_view(), name="webhook"),
    path("webhooks/<uuid:webhook_id>/secret", views.SecretView.as_view(), name="webhook-secret"),
    path("webhooks/<uuid:webhook_id>/resume", views.ResumeView.as_view(), name="webhook-resume"),
    path("webhooks/<uuid:webhook_id>/test", views.TestView.as_view(), name="webhook-test"),
]
