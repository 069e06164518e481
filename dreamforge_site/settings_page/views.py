"""The page, and the one thing that can be done on it: asking a hub about its token."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from downloader import tokens
from dreamforge_site.settings_page import facts

CHECK = "downloader.change_tokencheck"


def show(request: HttpRequest) -> HttpResponse:
    """For staff; what they may not change is shown all the same."""
    if request.method == "POST":
        return _check(request)
    context = {
        **admin.site.each_context(request),
        "title": "Settings",
        "places": facts.places(),
        "policies": facts.policies(),
        "presets": facts.presets(),
        "sections": list(facts.variables()),
        "tokens": list(tokens.known()),
        "may_check": request.user.has_perm(CHECK),
    }
    return TemplateResponse(request, "admin/settings/page.html", context)


def _check(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(CHECK):
        raise PermissionDenied
    source = request.POST.get("source", "")
    if source not in tokens.VARIABLES:
        raise Http404
    checked = tokens.check(source, by=request.user)
    if checked.problem:
        messages.warning(request, checked.problem)
    else:
        messages.success(request, f"The token of {checked.account} works ({checked.scope}).")
    return HttpResponseRedirect(reverse("settings"))
