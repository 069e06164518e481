"""The jobs: a list to search, a page each, and what can be done about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.timesince import timesince
from unfold.decorators import display

from jobs import dead_letters, submission
from jobs.admin import searching
from jobs.admin.filters import DeadFilter, QueueFilter, TypeFilter
from jobs.admin.forms import RequeueForm
from jobs.admin.shown import ShownAdmin
from jobs.errors import JobError
from jobs.models import Event, Job
from jobs.states import State

COLOURS = {
    State.QUEUED.value: "info",
    State.RUNNING.value: "warning",
    State.SUCCEEDED.value: "success",
    State.FAILED.value: "danger",
    State.CANCELED.value: "default",
}
LONG_FIELDS = ("params", "summary", "progress_state", "error_detail")
EVENTS_SHOWN = 200
AT_ONCE = 500
STAY = "_stay"  # posted by a job's own page: come back to it

Act = Callable[[Job], Job | None]


@admin.register(Job)
class JobAdmin(ShownAdmin):
    list_display = ("type", "state", "owner", "done", "age", "tries", "error_code", "queue", "id")
    list_filter = ("status", TypeFilter, QueueFilter, DeadFilter)
    search_fields = ("id",)
    search_help_text = "An id, an owner's name or a request id, in full"
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions = ("cancel", "requeue", "discard")
    change_form_outer_before_template = "admin/jobs/job/actions.html"
    change_form_outer_after_template = "admin/jobs/job/history.html"
    fields = (
        "id",
        "request_id",
        ("type", "queue"),
        ("state", "done"),
        ("tries", "priority"),
        ("owner", "created_at"),
        ("started_at", "finished_at"),
        "error_code",
        "error_message",
        "lease_holder",
        "requeued_from",
        ("dead_at", "dead_resolved_at"),
    )

    @display(description="Status", label=COLOURS)  # type: ignore[untyped-decorator]
    def state(self, job: Job) -> str:
        return job.status

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
        return jobs.defer(*LONG_FIELDS) if is_list else jobs

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        return queryset.filter(searching.meaning(search_term)), False

    def get_urls(self) -> list[URLPattern]:
        requeue = self.admin_site.admin_view(self.requeue_view)
        ours = [path("<path:object_id>/requeue/", requeue, name="jobs_job_requeue")]
        return [*ours, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        job = self.get_object(request, unquote(object_id))
        facts = self._facts(request, job) if job else {}
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**facts, **(extra_context or {})}
        )
        return page

    @admin.action(description="Cancel", permissions=["change"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._act(request, jobs, "canceled", submission.cancel)

    @admin.action(description="Requeue", permissions=["change"])
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
        form = RequeueForm(job, request.POST or None)
        if form.is_valid() and form.again is not None:
            self._note(request, job, "requeued with other parameters", form.again)
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
        for job in jobs.order_by("created_at", "id")[:AT_ONCE]:
            try:
                again = act(job)
            except JobError as error:
                refusals.append(f"{job.pk}: {error.message}")
            else:
                count += 1
                target = again or job
                self._note(request, job, done, again)
        self._tell(request, count, done, refusals)
        stays = STAY in request.POST and target is not None
        return HttpResponseRedirect(_page_of(target)) if stays and target else None

    def _note(self, request: HttpRequest, job: Job, done: str, again: Job | None) -> None:
        self.log_change(request, job, f"{done} as {again.pk}." if again else f"{done}.")

    def _tell(self, request: HttpRequest, count: int, done: str, refusals: list[str]) -> None:
        if count:
            more = f"; at most {AT_ONCE} at once" if count + len(refusals) == AT_ONCE else ""
            self.message_user(request, f"{count} {done}{more}.", messages.SUCCESS)
        for refusal in refusals[:5]:
            self.message_user(request, refusal, messages.WARNING)
        if len(refusals) > 5:
            self.message_user(request, f"{len(refusals) - 5} more likewise.", messages.WARNING)

    def _facts(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        may_act = self.may_act(request)
        return {
            "job": job,
            "title": f"Job {job.pk}",
            "steps": list(job.steps.all()),
            "events": _last_events(job),
            "events_shown": EVENTS_SHOWN,
            "params": json.dumps(job.params, indent=2, ensure_ascii=False),
            "summary": json.dumps(job.summary, indent=2, ensure_ascii=False),
            "error_detail": job.error_detail if may_act else "",
            "buttons": _buttons(job) if may_act else [],
        }


def _last_events(job: Job) -> list[tuple[Event, str]]:
    """The newest events, oldest first, each with its payload as JSON."""
    newest = list(job.events.order_by("-seq")[:EVENTS_SHOWN])[::-1]
    return [(event, json.dumps(event.payload) if event.payload else "") for event in newest]


def _buttons(job: Job) -> list[tuple[str, str]]:
    """Those that would do something now."""
    over = {State.FAILED, State.CANCELED}
    stoppable = job.status in {State.QUEUED, State.RUNNING} and job.cancel_requested_at is None
    offered = (
        ("cancel", "Cancel", stoppable),
        ("requeue", "Requeue", job.status in over),
        ("discard", "Discard dead letter", dead_letters.is_open(job)),
    )
    return [(action, label) for action, label, useful in offered if useful]


def _page_of(job: Job) -> str:
    return reverse("admin:jobs_job_change", args=[job.pk])
