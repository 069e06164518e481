"""The jobs: a list to search, a page each, and what can be done about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.timesince import timesince
from unfold.decorators import display
from unfold.utils import display_for_label

from jobs import dead_letters, kinds, submission
from jobs.admin import facts as facts_of
from jobs.admin import live, rows, searching, words
from jobs.admin.filters import DeadFilter, QueueFilter, TypeFilter
from jobs.admin.forms import RequeueForm
from jobs.admin.shown import ShownAdmin
from jobs.errors import JobError
from jobs.models import Job
from jobs.states import State
from registry.admin import telling

COLOURS = {
    State.QUEUED.value: "info",
    State.RUNNING.value: "warning",
    State.SUCCEEDED.value: "success",
    State.FAILED.value: "danger",
    State.CANCELED.value: "default",
}
LONG_FIELDS = ("params", "summary", "progress_state", "error_detail")
STAY = "_stay"  # posted by a job's own page: come back to it

Act = Callable[..., Job | None]  # of a job, `by` somebody


@admin.register(Job)
class JobAdmin(ShownAdmin):
    list_display = ("type", "state", "what", "owner", "done", "age", "tries", "error_code")
    list_filter = ("status", TypeFilter, QueueFilter, DeadFilter)
    search_fields = ("id",)
    search_help_text = "An id, an owner's name or a request id, in full"
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions = ("cancel", "requeue", "discard")

    class Media:
        js = (Script("dreamforge/admin/jobs.js", type="module"),)

    change_form_template = "admin/jobs/job/page.html"
    fields = ("id",)  # the page draws the rest itself

    @display(description="Status", label=COLOURS)  # type: ignore[untyped-decorator]
    def state(self, job: Job) -> str:
        return job.status

    @admin.display(description="What")
    def what(self, job: Job) -> str:
        return words.short(job.subject) or "-"  # type: ignore[attr-defined]  # of the list's rows

    @admin.display(description="Progress")
    def done(self, job: Job) -> str:
        return f"{job.progress:.0%}"

    @admin.display(description="Age")
    def age(self, job: Job) -> str:
        return timesince(job.created_at, depth=1)

    @admin.display(description="Attempts")
    def tries(self, job: Job) -> str:
        return f"{job.attempts}/{job.max_attempts}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        jobs: QuerySet[Job] = super().get_queryset(request).select_related("owner")
        match = request.resolver_match
        is_list = match is not None and match.url_name == "jobs_job_changelist"
        if not is_list:
            return jobs
        return jobs.defer(*LONG_FIELDS).annotate(subject=words.subjects())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        return queryset.filter(searching.meaning(search_term)), False

    def get_urls(self) -> list[URLPattern]:
        requeue = self.admin_site.admin_view(self.requeue_view)
        of_rows = self.admin_site.admin_view(self.rows_view)
        ours = [
            path("rows/", of_rows, name="jobs_job_rows"),
            path("<path:object_id>/requeue/", requeue, name="jobs_job_requeue"),
        ]
        return [*ours, *super().get_urls()]

    def rows_view(self, request: HttpRequest) -> JsonResponse:
        """How the rows that somebody looks at stand now: `ids`, and how many jobs came after the
        `newest` of them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wanted = rows.parse(request.GET)
        found = Job.objects.filter(pk__in=wanted.ids).defer(*LONG_FIELDS)
        cells = {str(job.pk): self._cells(job) for job in found}
        answer = {"jobs": cells, "newer": rows.newer_than(wanted.newest)}
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})

    def _cells(self, job: Job) -> dict[str, str]:
        """By column; the state is drawn as the list draws it."""
        return {
            "state": display_for_label(job.status, "-", COLOURS),
            "done": self.done(job),
            "age": self.age(job),
            "tries": self.tries(job),
            "error_code": job.error_code or "-",
        }

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        job = self.get_object(request, unquote(object_id))
        if job is None or not self.has_view_permission(request, job):
            facts = {}
        elif live.is_asked(request):
            facts = facts_of.live(request, job, may_act=self.may_act(request))
            return live.parts(request, "admin/jobs/job/live.html", facts)
        else:
            facts = facts_of.whole(request, job, may_act=self.may_act(request))
            facts["title"] = f"Job {job.pk}"
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**facts, **(extra_context or {})}
        )
        return page

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Asked for the list's action: whether they may start jobs of any type."""
        every = kinds.table().values()
        return self.may_act(request) and any(submission.may_start(k, request.user) for k in every)

    @admin.action(description="Cancel", permissions=["change"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._act(request, jobs, "canceled", submission.cancel)

    @admin.action(description="Requeue", permissions=["requeue"])
    def requeue(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._act(request, jobs, "requeued", dead_letters.again)

    @admin.action(description="Discard dead letters", permissions=["change"])
    def discard(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._act(request, jobs, "discarded", dead_letters.discard)

    def requeue_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """With other parameters."""
        job = self.get_object(request, unquote(object_id))
        if not self.may_act(request):
            raise PermissionDenied
        if job is None:
            raise Http404
        form = RequeueForm(job, request.POST or None, by=request.user)
        if form.is_valid() and form.again is not None:
            return HttpResponseRedirect(_page_of(form.again))
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(
            request,
            "admin/jobs/job/requeue.html",
            {**context, "title": "Requeue with other parameters", "job": job, "form": form},
        )

    def _act(
        self, request: HttpRequest, jobs: QuerySet[Job], done: str, act: Act
    ) -> HttpResponse | None:
        """Each by itself: one that cannot be done is told and holds up no other."""
        count, refusals, target = 0, [], None
        for job in jobs.order_by("created_at", "id")[: telling.AT_ONCE]:
            try:
                again = act(job, by=request.user)
            except JobError as error:
                refusals.append(f"{job.pk}: {error.message}")
            else:
                count += 1
                target = again or job
        telling.tell(request, count, done, refusals)
        stays = STAY in request.POST and target is not None
        return HttpResponseRedirect(_page_of(target)) if stays and target else None


def _page_of(job: Job) -> str:
    return reverse("admin:jobs_job_change", args=[job.pk])
