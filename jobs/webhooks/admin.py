"""Webhooks and their deliveries in the admin: everybody's, to look at, resume and send again."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db.models import F, Model, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display

from jobs.admin.shown import ShownAdmin
from jobs.errors import JobError
from jobs.webhooks import deliveries, endpoints
from jobs.webhooks.hooks import EVENTS, TEST_EVENT
from jobs.webhooks.models import (
    Condition,
    Outcome,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)

CONDITION_COLOURS = {
    Condition.ACTIVE.value: "success",
    Condition.PAUSED.value: "warning",
    Condition.DISABLED.value: "danger",
}
ATTEMPTS_SHOWN = 50
OUTCOME_COLOURS = {
    Outcome.PENDING.value: "info",
    Outcome.DELIVERED.value: "success",
    Outcome.FAILED.value: "danger",
}


class WebhookAdmin(ShownAdmin):
    """Unlike the engine's own rows these may be deleted: they belong to their owner, who may go."""

    sortable_by = ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(super(ShownAdmin, self).has_delete_permission(request, obj))


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(WebhookAdmin):
    list_display = ("url", "owner", "state", "reason", "failing_since", "created_at")
    list_filter = ("condition",)
    list_select_related = ("owner",)
    search_fields = ("url", "owner__username")
    search_help_text = "Part of the address or of the owner's name"
    ordering = ("-created_at", "-id")
    fields = ("id", "url", "owner", "events", "state", "reason", "failing_since", "created_at")
    actions = ("resume", "disable", "test")

    @display(description="Condition", label=CONDITION_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.condition

    @admin.action(description="Resume: send again", permissions=["change"])
    def resume(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> None:
        done = [row for row in rows if endpoints.resume(row, by=request.user)]
        self._told(request, done, "resumed")

    @admin.action(description="Disable: owe nothing more", permissions=["change"])
    def disable(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> None:
        why = "Disabled by an operator."
        done = [row for row in rows if endpoints.disable(row, why, by=request.user)]
        self._told(request, done, "disabled")

    @admin.action(description="Send a test", permissions=["change"])
    def test(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> None:
        for row in rows:
            act = partial(endpoints.test, row, by=request.user)
            _try(self, request, act, f"A test goes to {row.url}.")

    def log_deletions(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> None:
        for row in rows:
            endpoints.note_removal(row, request.user)

    def _told(self, request: HttpRequest, rows: list[WebhookEndpoint], word: str) -> None:
        self.message_user(request, f"{len(rows)} {word}.", messages.SUCCESS)


class AttemptInline(TabularInline):  # type: ignore[misc]
    """Each round has few attempts, but nothing bounds how often somebody begins another."""

    model = WebhookAttempt
    verbose_name_plural = f"attempts, the latest {ATTEMPTS_SHOWN}"
    fields = ("number", "started_at", "duration_ms", "status_code", "error", "response")
    readonly_fields = fields
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookAttempt]:
        rows: QuerySet[WebhookAttempt] = super().get_queryset(request)
        return rows.filter(number__gt=F("delivery__attempts") - ATTEMPTS_SHOWN)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("jobs.view_webhookdelivery")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EventFilter(SimpleListFilter):
    """Its choices come from a table, not from a look at every row."""

    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(event, event) for event in (*EVENTS, TEST_EVENT)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]
    ) -> QuerySet[WebhookDelivery]:
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(WebhookAdmin):
    list_display = (
        "created_at",
        "event",
        "owner",
        "url",
        "state",
        "attempts",
        "last_error",
        "next_attempt_at",
    )
    list_filter = ("status", EventFilter)
    list_select_related = ("owner",)
    search_fields = ("url", "owner__username")
    search_help_text = "Part of the address or of the owner's name"
    ordering = ("-created_at", "-id")
    fields = (
        "message_id",
        "event",
        "owner",
        "endpoint",
        "job",
        "url",
        "state",
        "attempts",
        "last_error",
        "next_attempt_at",
        "created_at",
        "finished_at",
        "body",
    )
    readonly_fields = ("message_id", "state", "next_attempt_at")
    inlines = (AttemptInline,)
    actions = ("resend",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        rows: QuerySet[WebhookDelivery] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and match.url_name == "jobs_webhookdelivery_changelist"
        return rows.defer("body") if is_list else rows

    @display(description="Status", label=OUTCOME_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, delivery: WebhookDelivery) -> str:
        return delivery.status

    @admin.action(description="Send again now", permissions=["change"])
    def resend(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> None:
        for row in rows.select_related("endpoint"):
            act = partial(deliveries.resend, row, by=request.user)
            _try(self, request, act, f"{row} goes again.")


def _try(page: WebhookAdmin, request: HttpRequest, act: Any, told: str) -> None:
    """One row that cannot be acted on keeps no other from it."""
    try:
        act()
    except JobError as error:
        page.message_user(request, error.message, messages.ERROR)
        return
    page.message_user(request, told, messages.SUCCESS)
