"""The addresses probes and monitors know, at the root and without a trailing slash."""

from django.urls import path

from dreamforge_site.operations import views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
]
