"""Filters of the list of jobs. Their choices come from tables, not from a look at every row."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs import kinds
from jobs.models import Job, JobQuerySet


class TypeFilter(SimpleListFilter):
    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(kinds.table())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(type=self.value()) if self.value() else queryset


class QueueFilter(SimpleListFilter):
    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in kinds.QUEUES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


class DeadFilter(SimpleListFilter):
    title = "dead letters"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "to deal with"), ("settled", "requeued or discarded")]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Job]:
        jobs: JobQuerySet = queryset
        if self.value() == "open":
            return jobs.dead()
        return jobs.filter(dead_resolved_at__isnull=False) if self.value() == "settled" else jobs
