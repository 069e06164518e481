"""Addresses under `/v1/` that are about models."""

from __future__ import annotations

from django.urls import path

from registry.api import views

urlpatterns = [
    path("models", views.ModelsView.as_view(), name="models"),
    path("models/<uuid:model_id>", views.ModelView.as_view(), name="model"),
    path("models/<uuid:model_id>/enable", views.ModelEnableView.as_view(), name="model-enable"),
    path(
        "models/<uuid:model_id>/defaults", views.ModelDefaultsView.as_view(), name="model-defaults"
    ),
    path("models/<uuid:model_id>/disable", views.ModelDisableView.as_view(), name="model-disable"),
]
