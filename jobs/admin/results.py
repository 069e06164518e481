"""Celery's task results: to look at. They come from tasks, so nobody adds or edits one."""

from __future__ import annotations

from typing import Any

from celery import states
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_results.admin import GroupResultAdmin, TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult

from jobs.admin.shown import ShownAdmin

admin.site.unregister([TaskResult, GroupResult])


class StateFilter(SimpleListFilter):
    """Its choices come from Celery, not from a look at every row."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in sorted(states.ALL_STATES)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[TaskResult]
    ) -> QuerySet[TaskResult]:
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(TaskResult)
class ShownTaskResultAdmin(ShownAdmin, TaskResultAdmin):  # type: ignore[misc]
    list_filter = (StateFilter, "date_done")  # type: ignore[assignment]  # any length will do
    # The months of a drill-down would be found by a look at every row.
    date_hierarchy = None  # type: ignore[assignment]  # Django takes it as none
    ordering = ("-date_done", "-id")


@admin.register(GroupResult)
class ShownGroupResultAdmin(ShownAdmin, GroupResultAdmin):  # type: ignore[misc]
    date_hierarchy = None  # type: ignore[assignment]
    ordering = ("-date_done", "-id")
