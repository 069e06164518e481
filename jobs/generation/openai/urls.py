"""Addresses under `/openai/v1/`."""

from __future__ import annotations

from django.urls import path

from jobs.generation.openai import showing, views

urlpatterns = [
    path("images/generations", views.GenerationsView.as_view(), name="openai-images"),
    path(
        "images/generations/<uuid:job_id>",
        views.ImagesView.as_view(form=showing.URL),
        name=views.ADDRESS_BY_FORM[showing.URL],
    ),
    path(
        "images/generations/<uuid:job_id>/b64_json",
        views.ImagesView.as_view(form=showing.B64_JSON),
        name=views.ADDRESS_BY_FORM[showing.B64_JSON],
    ),
    path("models", views.ModelsView.as_view(), name="openai-models"),
    path("models/<path:name>", views.ModelView.as_view(), name="openai-model"),
]
