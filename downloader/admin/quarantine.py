"""Quarantined files: what came in place of what, and a person's decision about it."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from downloader import configured
from downloader.library.errors import DownloadError
from downloader.models import Download
from registry import wording

log = structlog.get_logger(__name__)

SEE = "downloader.view_download"
DECIDE = "downloader.delete_download"  # of the built-in groups, only operators have it
LONGEST_REASON = 500


def urls(site: admin.AdminSite) -> list[URLPattern]:
    return [path("quarantine/", site.admin_view(show), name="downloader_quarantine")]


def show(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    if request.method == "POST":
        return _decide(request)
    held = sorted(configured.store().quarantined().items())
    context = {
        **admin.site.each_context(request),
        "title": "Quarantine",
        "held": [{"id": id_, "suspect": suspect} for id_, suspect in held],
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
    freed = configured.store().discard(id_)
    _note(request, f"discarded the quarantined file {id_}")
    messages.success(request, f"{wording.size(freed)} deleted.")


def _release(request: HttpRequest, id_: str, reason: str) -> None:
    by = request.user.get_username()
    computed = configured.store().release(id_, by=by, reason=reason)
    log.warning("quarantine_released", id=id_, by=by, reason=reason, sha256=computed.sha256)
    _note(request, f"trusts the quarantined file {id_} ({computed.sha256}): {reason}")
    messages.success(request, "It is trusted from now on; download the model again.")


def _note(request: HttpRequest, what: str) -> None:
    """A file is no row: the entry stands among those about downloads."""
    user: Any = request.user
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Download),
        object_repr="Quarantine",
        action_flag=CHANGE,
        change_message=what,
    )
