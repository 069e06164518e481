"""Addresses under `/app/`. A page has one word, and no slash at its end."""

from __future__ import annotations

from django.urls import path

from dreamforge_site.portal import views

app_name = "portal"
urlpatterns = [
    path("", views.PageView.as_view(name="home"), name="home"),
    *(
        path(page.name, views.PageView.as_view(name=page.name), name=page.name)
        for page in views.PAGES
        if page.name != "home"
    ),
    path(
        "downloads/<uuid:download_id>",
        views.PageView.as_view(name="downloads", one="download"),
        name="download",
    ),
    path(
        "repositories/<uuid:repo_id>",
        views.PageView.as_view(name="repositories", one="repository"),
        name="repository",
    ),
    path("register", views.register, name="register"),
    path("sign-in", views.SignInView.as_view(), name="sign-in"),
    path("sign-out", views.SignOutView.as_view(), name="sign-out"),
    path("offline", views.offline, name="offline"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("worker.js", views.worker, name="worker"),
]
