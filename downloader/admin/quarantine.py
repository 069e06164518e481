"""Quarantined files: what came in place of what, and a person's decision about it."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from downloader import configured, quarantining
from downloader.library.errors import DownloadError
from registry import wording

SEE = "downloader.view_download"
DECIDE = "downloader.delete_download"  # of the built-in groups, only operators have it
LONGEST_REASON = 500
SHOWN = 50


def urls(site: admin.AdminSite) -> list[URLPattern]:
    return [path("quarantine/", site.admin_view(show), name="downloader_quarantine")]


def show(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    if request.method == "POST":
        return _decide(request)
    after = request.GET.get("after", "")
    held = list(configured.store().quarantined(after, SHOWN + 1).items())
    shown = held[:SHOWN]
    context = {
        **admin.site.each_context(request),
        "title": "Quarantine",
        "held": [{"id": id_, "suspect": suspect} for id_, suspect in shown],
        "after": after,
        "more_after": shown[-1][0] if len(held) > SHOWN else "",
        "may_decide": request.user.has_perm(DECIDE),
        "longest_reason": LONGEST_REASON,
    }
    return TemplateResponse(request, "admin/downloader/quarantine.html", context)


def _decide(request: HttpRequest) -> HttpResponse:
    """Either is written down with the name of who decided; a release needs a reason too."""
    if not request.user.has_perm(DECIDE):
        raise PermissionDenied
    id_, reason = request.POST.get("id", ""), request.POST.get("reason", "").strip()
    try:
        if "discard" in request.POST:
            _discard(request, id_)
        elif reason:
            _release(request, id_, reason[:LONGEST_REASON])
        else:
            messages.error(request, "To trust a file, say why: the reason is kept with it.")
    except DownloadError as error:
        messages.error(request, error.message)
    return HttpResponseRedirect(reverse("admin:downloader_quarantine"))


def _discard(request: HttpRequest, id_: str) -> None:
    freed = quarantining.discard(id_, by=request.user)
    messages.success(request, f"{wording.size(freed)} deleted.")


def _release(request: HttpRequest, id_: str, reason: str) -> None:
    name = request.user.get_username()
    quarantining.release(id_, name=name, reason=reason, by=request.user)
    messages.success(request, "It is trusted from now on; download the model again.")
