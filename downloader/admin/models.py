"""What the page of a model offers by way of this room: verifying and removing it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from downloader import removal
from downloader.kinds import VERIFY
from downloader.library.errors import DownloadError
from jobs import submission
from jobs.errors import JobError
from registry.models import Model

REMOVE = "registry.delete_model"


def urls(site: admin.AdminSite) -> list[URLPattern]:
    return [
        path(
            "models/<uuid:model_id>/verify/",
            site.admin_view(verify),
            name="downloader_model_verify",
        ),
        path(
            "models/<uuid:model_id>/remove/",
            site.admin_view(remove),
            name="downloader_model_remove",
        ),
    ]


def verify(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Makes the job and shows it."""
    if request.method != "POST":
        raise PermissionDenied
    model = _found(model_id)
    user: Any = request.user
    params = {"model_id": str(model.pk), "repair": "repair" in request.POST}
    try:
        job = submission.submit(VERIFY.name, params, user)
    except JobError as error:
        messages.error(request, error.message)
        return _page_of(model.pk)
    messages.success(request, f"{model} is being verified.")
    return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))


def remove(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """What it would free is shown first."""
    if not request.user.has_perm(REMOVE):
        raise PermissionDenied
    model = _found(model_id)
    try:
        if request.method == "POST":
            return _removed(request, model)
        planned = removal.remove(model, dry_run=True)
    except DownloadError as error:
        messages.error(request, error.message)
        return _page_of(model.pk)
    context = {**admin.site.each_context(request), "title": f"Remove {model}", "model": model}
    return TemplateResponse(
        request, "admin/downloader/model/remove.html", {**context, "planned": planned}
    )


def _removed(request: HttpRequest, model: Model) -> HttpResponse:
    name = str(model)
    removed = removal.remove(model, by=request.user)
    messages.success(request, f"{name} is removed; {removed.freed_bytes:,} bytes are free again.")
    return HttpResponseRedirect(reverse("admin:registry_model_changelist"))


def _found(model_id: uuid.UUID) -> Model:
    model = Model.objects.filter(pk=model_id).first()
    if model is None:
        raise Http404
    return model


def _page_of(model_id: uuid.UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:registry_model_change", args=[model_id]))
