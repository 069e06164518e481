"""The downloads: how far each is, and a form to start one after a look at what it would bring."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from downloader import configured, failures
from downloader.admin import models, quarantine
from downloader.admin.forms import DownloadForm
from downloader.configured import Wanted
from downloader.kinds import DOWNLOAD
from downloader.library.errors import DownloadError
from downloader.library.plan import Plan
from downloader.library.watch import Control
from downloader.models import Download
from jobs import submission
from jobs.admin.jobs import COLOURS
from jobs.admin.shown import ShownAdmin
from jobs.errors import JobError
from registry import wording

ADD = "downloader.add_download"
FILES_SHOWN = 200


@admin.register(Download)
class DownloadAdmin(ShownAdmin):
    list_display = ("title", "state", "done", "bytes", "rate", "owner", "started")
    list_filter = ("job__status",)
    search_fields = ("title", "source_uri")
    list_select_related = ("job__owner",)
    ordering = ("-created_at", "-job_id")
    sortable_by = ()
    actions_list = ("begin",)  # its address is named for it, so not as that of the form
    change_form_outer_after_template = "admin/downloader/download/files.html"
    fields = ("title", "source_uri", ("state", "done"), ("bytes", "rate"), "registered", "job_page")

    @display(description="Status", label=COLOURS)  # type: ignore[untyped-decorator]
    def state(self, download: Download) -> str:
        return download.job.status

    @admin.display(description="Progress")
    def done(self, download: Download) -> str:
        return f"{download.job.progress:.0%}"

    @admin.display(description="Bytes")
    def bytes(self, download: Download) -> str:
        done = wording.size(download.bytes_done)
        return done if download.bytes_total is None else f"{done} of {_size(download)}"

    @admin.display(description="Rate")
    def rate(self, download: Download) -> str:
        running = download.job.status == "running"
        return f"{wording.size(download.rate_bps)}/s" if running else "-"

    @admin.display(description="Owner")
    def owner(self, download: Download) -> str:
        return str(download.job.owner or "-")

    @admin.display(description="Started")
    def started(self, download: Download) -> Any:
        return download.job.started_at

    @admin.display(description="Model")
    def registered(self, download: Download) -> SafeString | str:
        if download.model_id is None:
            return "-"
        return _link(reverse("admin:registry_model_change", args=[download.model_id]), "the model")

    @admin.display(description="Job")
    def job_page(self, download: Download) -> SafeString:
        return _link(reverse("admin:jobs_job_change", args=[download.job_id]), download.job_id)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.start_view)
        start = path("start/", view, name="downloader_download_start")
        return [
            start,
            *models.urls(self.admin_site),
            *quarantine.urls(self.admin_site),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        download = self.get_object(request, object_id)
        files = list(download.files.all()[:FILES_SHOWN]) if download else []
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {"files": files, **(extra_context or {})}
        )
        return page

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A download is its job: what people did to it stands there."""
        if request.user.has_perm("jobs.view_job"):
            return HttpResponseRedirect(reverse("admin:jobs_job_history", args=[object_id]))
        page: HttpResponse = super().history_view(request, object_id, extra_context)
        return page

    def has_start_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return request.user.has_perm(ADD)

    @action(  # type: ignore[untyped-decorator]
        description="Download a model", url_path="begin", permissions=["start"], icon="download"
    )
    def begin(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:downloader_download_start"))

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Looks first: `_start` in the form makes the job of what was looked at."""
        if not self.has_start_permission(request):
            raise PermissionDenied
        form = DownloadForm(request.POST or None)
        plan: Plan | None = None
        if form.is_valid():
            if "_start" in request.POST:
                return self._begin(request, form)
            plan = _looked_at(form)
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(
            request,
            "admin/downloader/download/start.html",
            {**context, "title": "Download a model", "form": form, "plan": plan},
        )

    def _begin(self, request: HttpRequest, form: DownloadForm) -> HttpResponse:
        try:
            user: Any = request.user
            job = submission.submit(DOWNLOAD.name, form.params, user)
        except JobError as error:
            self.message_user(request, error.message, "error")
            return HttpResponseRedirect(request.path)
        self.message_user(request, f"The download of {form.params['ref']} is queued.")
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Download]:
        found: QuerySet[Download] = super().get_queryset(request)
        return found.select_related("job__owner")


def _looked_at(form: DownloadForm) -> Plan | None:
    """What it would bring; what the source refuses is shown at the field."""
    given = form.params
    wanted = Wanted(given["ref"], *(given.get(name) for name in ("kind", "name", "version")))
    try:
        with configured.tools() as tools:
            return configured.prepare(wanted, tools, Control())[1]
    except DownloadError as error:
        form.add_error("ref", failures.told(error))
        return None


def _size(download: Download) -> str:
    return wording.size(download.bytes_total or 0)


def _link(address: str, text: Any) -> SafeString:
    style = "text-primary-600 dark:text-primary-500"
    return format_html('<a class="{}" href="{}">{}</a>', style, address, text)
