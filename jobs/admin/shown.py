"""Rows that the engine writes: shown, acted on, never edited."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

COUNTED = 10_000


class CappedPaginator(Paginator[Any]):
    """Counts no further than anybody pages: counting all of a large table costs every look."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin's always is
        return rows.order_by()[:COUNTED].count()


class ShownAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """`change` is the permission for actions on the list; one row is only shown."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 200

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return obj is None and bool(super().has_change_permission(request))

    def may_act(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)
