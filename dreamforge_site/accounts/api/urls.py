"""Addresses below `/v1/auth/`."""

from __future__ import annotations

from django.urls import path

from dreamforge_site.accounts import schema  # noqa: F401  tells the document how callers authenticate
from dreamforge_site.accounts.api import views

urlpatterns = [
    path("register", views.RegisterView.as_view(), name="auth-register"),
    path("login", views.LoginView.as_view(), name="auth-login"),
    path("refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("logout", views.LogoutView.as_view(), name="auth-logout"),
    path("me", views.MeView.as_view(), name="auth-me"),
    path("keys", views.KeysView.as_view(), name="auth-keys"),
    path("keys/<uuid:key_id>", views.KeyView.as_view(), name="auth-key"),
]
