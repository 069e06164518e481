"""The queues on one page, with pause and resume; the workers that look for work."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import display

from jobs import kinds, queueing
from jobs.admin import live, workforce
from jobs.admin.shown import ShownAdmin
from jobs.models import Queue, Worker

LONGEST_REASON = 200
COLOURS = {"alive": "success", "stopping": "warning", "silent": "danger"}


@admin.register(Queue)
class QueueAdmin(ShownAdmin):
    """A queue has a row only once somebody paused it, so the list is drawn from what there is."""

    fields = ("name", "paused", "reason", "changed_at")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._change(request)
        facts = {
            "queues": workforce.queues(),
            "touched": set(Queue.objects.values_list("name", flat=True)),
            "may_act": self.may_act(request),
        }
        if live.is_asked(request):
            return live.parts(request, "admin/jobs/queue/live.html", facts)
        context = {**self.admin_site.each_context(request), **facts}
        return TemplateResponse(
            request,
            "admin/jobs/queue/overview.html",
            {**context, "opts": self.opts, "title": "Queues and workers"},
        )

    def _change(self, request: HttpRequest) -> HttpResponse:
        if not self.may_act(request):
            raise PermissionDenied
        name, action = request.POST.get("queue", ""), request.POST.get("action", "")
        if name in kinds.QUEUES and action in ("pause", "resume"):
            self._apply(request, name, action)
        else:
            self.message_user(request, "There is no such queue.", messages.ERROR)
        return HttpResponseRedirect(request.path)

    def _apply(self, request: HttpRequest, name: str, action: str) -> None:
        if action == "pause":
            reason = request.POST.get("reason", "").replace("\0", "")[:LONGEST_REASON]
            queueing.pause(name, reason, by=request.user)
        else:
            queueing.resume(name, by=request.user)
        self.message_user(request, f"The queue {name} is {action}d.", messages.SUCCESS)


@admin.register(Worker)
class WorkerAdmin(ShownAdmin):
    list_display = ("id", "queue", "state", "slots", "cards", "version", "started", "seen")
    fields = (*list_display, "warm_models")
    ordering = ("queue", "id")
    sortable_by = ()

    @display(description="State", label=COLOURS)  # type: ignore[untyped-decorator]
    def state(self, worker: Worker) -> str:
        if timezone.now() - worker.seen_at > queueing.WORKER_SILENT_AFTER:
            return "silent"
        return "stopping" if worker.stopping else "alive"

    @admin.display(description="Devices")
    def cards(self, worker: Worker) -> str:
        return ", ".join(map(str, worker.devices)) if worker.queue == "gpu" else "-"

    @admin.display(description="Started")
    def started(self, worker: Worker) -> str:
        return f"{worker.started_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="Seen")
    def seen(self, worker: Worker) -> str:
        return f"{worker.seen_at:%Y-%m-%d %H:%M:%S}"
