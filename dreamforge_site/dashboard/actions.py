"""What people did last, each with a link to the thing where that is there to be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest

LATEST = 8

Thing = tuple[int, str]  # the number of its content type, its key as text


def latest(request: HttpRequest) -> list[tuple[LogEntry, str]]:
    """By their numbers, which grow: the log has no index by time. The address is empty where there
    is nothing to see."""
    newest = LogEntry.objects.order_by("-pk").select_related("user", "content_type")
    entries = list(newest[:LATEST])
    there = _there(request, entries)
    return [(entry, _address(entry, there)) for entry in entries]


def _address(entry: LogEntry, there: set[Thing]) -> str:
    thing = (entry.content_type_id, entry.object_id)
    return (entry.get_admin_url() or "") if thing in there else ""


def _there(request: HttpRequest, entries: Iterable[LogEntry]) -> set[Thing]:
    """One query for each sort of thing, and none for what this person may not see."""
    named: dict[ContentType, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.content_type is not None and entry.object_id:
            named[entry.content_type].add(entry.object_id)
    return {(kind.pk, key) for kind, keys in named.items() for key in _seen(request, kind, keys)}


def _seen(request: HttpRequest, kind: ContentType, keys: set[str]) -> list[str]:
    model = kind.model_class()
    page = admin.site.get_model_admin(model) if model and admin.site.is_registered(model) else None
    if page is None or not page.has_view_permission(request):
        return []
    rows = page.get_queryset(request).filter(pk__in=keys)
    return [str(key) for key in rows.values_list("pk", flat=True)]
