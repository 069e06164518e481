"""The shells of the portal's pages, signing in and out, and the three files of an installed app."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_safe

from dreamforge_site import __version__
from dreamforge_site.accounts.models import User
from dreamforge_site.portal import policy, visitors
from dreamforge_site.portal.forms import SignInForm
from registry.kinds import SDXL_CHECKPOINT
from registry.parameters import schema_for

ICONS = ("icon.svg", "icon-192.png", "icon-512.png", "icon-maskable-512.png")
# What an app that is offline still shows: its offline page and the look of it.
KEPT_OFFLINE = ("portal.css", "offline.js", *ICONS)
FILES = Path(__file__).parent / "static" / "portal"


@dataclass(frozen=True)
class Page:
    """`name` is also that of its address, its template and its script."""

    name: str
    title: str
    symbol: str
    on_phone: bool = True  # in the bar at the bottom, which has room for five


PAGES = (
    Page("home", "Home", "home"),
    Page("create", "Create", "spark"),
    Page("images", "Images", "image"),
    Page("models", "Models", "cube"),
    Page("repositories", "Repositories", "folder", on_phone=False),
    Page("add", "Add a model", "plus", on_phone=False),
    Page("downloads", "Downloads", "download"),
    Page("account", "Account", "person", on_phone=False),
)
BY_NAME = {page.name: page for page in PAGES}


@method_decorator(require_safe, name="dispatch")
class PageView(View):
    """One page for whoever is signed in; anybody else signs in first."""

    name = "home"
    one = ""  # the template of a single thing, where its page is not that of the list

    def get(self, request: HttpRequest, **ids: uuid.UUID) -> HttpResponseBase:
        has_session = request.user.is_authenticated
        user = visitors.visitor(request)
        if user is None:
            return redirect_to_login(request.get_full_path(), reverse("portal:sign-in"))
        template = self.one or self.name
        facts = {**ids, **self._facts(request, user)}
        context = {
            "page": BY_NAME[self.name],
            "pages": PAGES,
            "script": template,
            "user": user,
            "facts": facts,
            "has_session": has_session,  # else there is nothing to sign out of
        }
        return policy.protect(render(request, f"portal/{template}.html", context))

    @staticmethod
    def _facts(request: HttpRequest, user: User) -> dict[str, Any]:
        return {
            "user": visitors.told(user),
            "csrf": get_token(request),
            "worker": reverse("portal:worker"),
            "root": reverse("portal:home"),
            "icon": static("portal/icon-192.png"),
            # Paths on the server's disk are for those who look after it.
            "models_root": str(settings.MODELS_ROOT) if user.is_staff else "",
            # Pretended drawing needs no model, so the form is drawn from the schema of any.
            "without_model": schema_for(SDXL_CHECKPOINT) if settings.RUNNER == "fake" else None,
        }


class SignInView(auth.LoginView):
    template_name = "portal/sign_in.html"
    authentication_form = SignInForm
    next_page = "portal:home"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return policy.protect(super().dispatch(request, *args, **kwargs))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(may_register=settings.ALLOW_REGISTRATION, **kwargs)


@require_safe
def register(request: HttpRequest) -> HttpResponseBase:
    """A form for strangers. Its script makes the account by `/v1` and then signs in with it."""
    if not settings.ALLOW_REGISTRATION:
        raise Http404
    if request.user.is_authenticated:
        return redirect("portal:home")
    root = reverse("portal:home")
    context = {
        "next": request.GET.get("next", ""),  # checked by the signing in that it is handed to
        "facts": {"user": None, "csrf": get_token(request), "root": root},
    }
    return policy.protect(render(request, "portal/register.html", context))


class SignOutView(auth.LogoutView):
    next_page = "portal:sign-in"


@require_safe
def offline(request: HttpRequest) -> HttpResponseBase:
    """What the installed app shows without a network; it names nobody."""
    response = policy.protect(render(request, "portal/offline.html"))
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
def manifest(_request: HttpRequest) -> HttpResponse:
    root = reverse("portal:home")
    sizes = {"icon-192.png": "192x192", "icon-512.png": "512x512"}
    icons = [
        {"src": static(f"portal/{name}"), "sizes": size, "type": "image/png"}
        for name, size in sizes.items()
    ]
    maskable = static("portal/icon-maskable-512.png")
    icons.append({"src": maskable, "sizes": "512x512", "type": "image/png", "purpose": "maskable"})
    facts = {
        "id": root,
        "name": "Dream Forge",
        "short_name": "Forge",
        "description": "Images and models on your own machines.",
        "start_url": root,
        "scope": root,
        "display": "standalone",
        "background_color": "#1c1917",
        "theme_color": "#1c1917",
        "icons": icons,
        "shortcuts": [
            {"name": BY_NAME[name].title, "url": reverse(f"portal:{name}")}
            for name in ("create", "images", "downloads")
        ],
    }
    return JsonResponse(facts, content_type="application/manifest+json")


@require_safe
def worker(request: HttpRequest) -> HttpResponseBase:
    """The service worker. It lies here, not among the static files: it rules the addresses below
    its own."""
    facts = {
        "version": _version_of_what_is_kept(),
        "offline": reverse("portal:offline"),
        "root": reverse("portal:home"),
        "files": [static(f"portal/{name}") for name in KEPT_OFFLINE],
    }
    context = {"facts": json.dumps(facts)}
    response = render(request, "portal/worker.js", context, content_type="text/javascript")
    response["Cache-Control"] = "no-cache"
    return policy.protect(response)


def _version_of_what_is_kept() -> str:
    """Another one for every change of the offline page or its files, released or not: devices fetch
    them again when the worker's text is another one."""
    kept = hashlib.sha256(render_to_string("portal/offline.html").encode())
    for name in KEPT_OFFLINE:
        kept.update(hashlib.sha256((FILES / name).read_bytes()).digest())
    return f"{__version__}-{kept.hexdigest()[:16]}"
