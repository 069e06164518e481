"""Celery's task results: to look at. They come from tasks, so nobody adds or edits one."""

from __future__ import annotations

from django.contrib import admin
from django_celery_results.admin import GroupResultAdmin, TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult

from jobs.admin.shown import ShownAdmin

admin.site.unregister([TaskResult, GroupResult])


@admin.register(TaskResult)
class ShownTaskResultAdmin(ShownAdmin, TaskResultAdmin):  # type: ignore[misc]
    list_filter = ("status", "date_done")  # type: ignore[assignment]  # any length will do


@admin.register(GroupResult)
class ShownGroupResultAdmin(ShownAdmin, GroupResultAdmin):  # type: ignore[misc]
    pass
