"""The admin's look: name, icon, colours, and what stands in the sidebar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy


def icon(_request: HttpRequest) -> str:
    return static("dreamforge/icon.svg")


def own(name: str) -> Callable[[HttpRequest], str]:
    """A file of ours beside the theme's, named when it is asked for: its address may hold a hash
    that only collected files have."""
    return lambda _request: static(f"dreamforge/admin/{name}")


def page(title: str, symbol: str, model: str, right: str = "") -> dict[str, Any]:
    """A list in the sidebar; without the right to see it, it is not shown."""
    item: dict[str, Any] = {
        "title": title,
        "icon": symbol,
        "link": reverse_lazy(f"admin:{model}_changelist"),
    }
    if right:
        item["permission"] = lambda request: request.user.has_perm(right)
    return item


def _is_below(request: HttpRequest, name: str, *, but: str) -> bool:
    top, apart = (reverse(f"admin:downloader_repo_{each}") for each in (name, but))
    return request.path.startswith(top) and not request.path.startswith(apart)


SIDEBAR = [
    {
        "title": "Service",
        "items": [
            {"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")},
            {"title": "Settings", "icon": "settings", "link": reverse_lazy("settings")},
            {"title": "Playground", "icon": "brush", "link": reverse_lazy("portal:create")},
            {"title": "Gallery", "icon": "imagesmode", "link": reverse_lazy("portal:images")},
            {"title": "API documentation", "icon": "api", "link": "/v1/docs"},
        ],
    },
    {
        "title": "Models",
        "separator": True,
        "items": [
            page("Models", "deployed_code", "registry_model", "registry.view_model"),
            page("Downloads", "download", "downloader_download", "downloader.view_download"),
            {
                **page("Repositories", "inventory_2", "downloader_repo", "downloader.view_repo"),
                # The explorer stands below it, and has a line of its own.
                "active": lambda request: _is_below(request, "changelist", but="explore"),
            },
            {
                "title": "Explore the hub",
                "icon": "travel_explore",
                "link": reverse_lazy("admin:downloader_repo_explore"),
                "permission": lambda request: request.user.has_perm("downloader.view_repo"),
            },
        ],
    },
    {
        "title": "Work",
        "separator": True,
        "items": [
            page("Jobs", "work", "jobs_job", "jobs.view_job"),
            page("Queues", "traffic", "jobs_queue", "jobs.view_queue"),
            page("Workers", "memory", "jobs_worker", "jobs.view_worker"),
            page("Webhooks", "webhook", "jobs_webhookendpoint", "jobs.view_webhookendpoint"),
            page("Deliveries", "outbox", "jobs_webhookdelivery", "jobs.view_webhookdelivery"),
            page(
                "Task results",
                "checklist",
                "django_celery_results_taskresult",
                "django_celery_results.view_taskresult",
            ),
        ],
    },
    {
        "title": "Accounts",
        "separator": True,
        "items": [
            page("Users", "person", "accounts_user", "accounts.view_user"),
            page("Groups", "group", "auth_group", "auth.view_group"),
            page("API keys", "key", "accounts_apikey"),
            page("Sign-ins", "login", "accounts_signin"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Dream Forge",
    "SITE_HEADER": "Dream Forge",
    "SITE_SUBHEADER": "Models and images on your own GPUs",
    "SITE_URL": "/v1/docs",
    "SITE_ICON": icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "sizes": "any", "href": icon}],
    "STYLES": [own("admin.css")],
    "SCRIPTS": [own("base.js")],
    "LOGIN": {"form": "dreamforge_site.accounts.forms.SignInForm"},
    "COLORS": {
        # Embers: the forge of the name.
        "primary": {
            "50": "oklch(97.8% .016 70)",
            "100": "oklch(95.2% .037 70)",
            "200": "oklch(90.0% .074 66)",
            "300": "oklch(83.4% .122 60)",
            "400": "oklch(75.2% .170 53)",
            "500": "oklch(69.6% .190 47)",
            "600": "oklch(58.5% .180 41)",
            "700": "oklch(50.5% .160 38)",
            "800": "oklch(43.0% .130 37)",
            "900": "oklch(37.8% .105 37)",
            "950": "oklch(26.0% .075 36)",
        },
    },
    "SIDEBAR": {"show_search": True, "navigation": SIDEBAR},
}
