"""Rows that the engine writes: shown, acted on, never edited."""

from __future__ import annotations

from django.db.models import Model
from django.http import HttpRequest

from registry.admin.longlists import LongListAdmin


class ShownAdmin(LongListAdmin):
    """`change` is the permission for actions on the list; one row is only shown."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return obj is None and bool(super().has_change_permission(request))

    def may_act(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)
