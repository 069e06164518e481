"""Lists of the admin that may grow without a bound: a look at a million rows costs what a look at a
thousand costs.

Pages are found by key (`positions`), never by an offset, in the list's own order as well as when
somebody sorts by another column. A column without an index has then to be sorted by the database,
so a list offers only those that are worth it (`sortable_by`). Rows are counted up to `COUNTED`;
beyond that the page says "more than", and actions take what is ticked and not "all".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin as UnfoldAdmin
from unfold.views import ChangeList

from registry.admin import positions
from registry.admin.positions import END, START, Key, Position

COUNTED = 1_000
PER_PAGE = 50
SHOWN_AT_ONCE = 200
BY_TIME = ("Newest", "Newer", "Older", "Oldest")
BY_WORD = ("First", "Previous", "Next", "Last")


@dataclass(frozen=True)
class Page:
    """`before`, `after`: whether there are rows on that side of it."""

    rows: list[Any]
    before: bool
    after: bool


@dataclass(frozen=True)
class Link:
    """`position`: for the address; None where there is nothing to go to."""

    label: str
    rel: str
    position: str | None
    url: str = ""


class CountedPaginator(Paginator[Any]):
    """Counts no further than anybody wants to know."""

    template_name = "admin/pages_by_key.html"  # unfold draws it below the list

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNTED)

    @property
    def has_more(self) -> bool:
        """Whether there are more rows than are counted."""
        return self._counted > COUNTED

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin's always is
        return rows.order_by()[: COUNTED + 1].count()


class HistoryPaginator(Paginator[Any]):
    """Of what people did to one thing, newest first. Pages have numbers, for Django draws them; an
    index finds the entries of a thing in this order, and people make few."""

    def __init__(self, entries: QuerySet[LogEntry], *args: Any, **kwargs: Any) -> None:
        super().__init__(entries.order_by("-action_time", "-id"), *args, **kwargs)


class KeysetChangeList(ChangeList):  # type: ignore[misc]  # unfold has no types
    """`p`, the admin's name for a page, says the position of one."""

    keys: tuple[Key, ...]

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        self._forget_what_is_not_offered()
        self.keys = positions.keys(self.model, super().get_ordering(request, queryset))
        return [key.order for key in self.keys]

    def get_ordering_field(self, field_name: Any) -> Any:
        """None for what the list does not offer, also to who writes the address by hand."""
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None

    def _forget_what_is_not_offered(self) -> None:
        """Of an order that is asked for; where nothing is left of it the list's own holds."""
        asked = str(self.params.pop(ORDER_VAR, "")).split(".")
        if offered := [part for part in asked if self._offers(part)]:
            self.params[ORDER_VAR] = ".".join(offered)

    def _offers(self, column: str) -> bool:
        number = column.removeprefix("-")
        if not number.isdecimal() or int(number) >= len(self.list_display):
            return False
        return bool(self.get_ordering_field(self.list_display[int(number)]))

    def get_results(self, request: HttpRequest) -> None:
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_count = self.paginator.count
        self.is_counted = not self.paginator.has_more
        self.can_show_all = self.is_counted and self.result_count <= self.list_max_show_all
        self.multi_page = self.result_count > self.list_per_page
        self.show_full_result_count, self.show_admin_actions = False, True
        # What differs from the count has unfold tell it above the list, with a way back to all.
        is_part = self.is_counted and (self.has_active_filters or bool(self.query))
        self.full_result_count = None if is_part else self.result_count
        page = self._page(positions.read(request.GET.get(PAGE_VAR, ""), self.keys))
        self.result_list = page.rows
        self.page_links = self._links(page) if page.before or page.after else []

    def _page(self, position: Position) -> Page:
        if self.show_all and self.can_show_all:
            return Page(list(self.queryset[:SHOWN_AT_ONCE]), before=False, after=False)
        return page_at(self.queryset, self.keys, position, self.list_per_page)

    def _links(self, page: Page) -> list[Link]:
        by_time = self.keys[0].is_time and self.keys[0].descending
        first, back, on, last = BY_TIME if by_time else BY_WORD
        rows, order = page.rows, self.keys
        before = positions.written(positions.BEFORE, rows[0], order) if page.before else None
        after = positions.written(positions.AFTER, rows[-1], order) if page.after else None
        found = (
            Link(first, "first", "" if page.before else None),
            Link(back, "prev", before),
            Link(on, "next", after),
            Link(last, "last", positions.LAST if page.after else None),
        )
        return [self._with_url(link) for link in found]

    def _with_url(self, link: Link) -> Link:
        if link.position is None:
            return link
        url = self.get_query_string({PAGE_VAR: link.position or None})
        return Link(link.label, link.rel, link.position, url)


def page_at(rows: QuerySet[Any], order: Sequence[Key], position: Position, size: int) -> Page:
    """One query; a second where rows have gone, so that no page on the way is torn or empty."""
    found = _read(rows, order, position, size)
    more, kept = len(found) > size, found[:size]
    if position.forward:
        if kept or position == START:
            return Page(kept, before=position != START, after=more)
        return page_at(rows, order, END, size)
    if len(kept) < size and position != END:
        return page_at(rows, order, START, size)
    return Page(kept[::-1], before=more, after=position != END)


def _read(rows: QuerySet[Any], order: Sequence[Key], position: Position, size: int) -> list[Any]:
    """One more than is shown, to know whether there are more; in the direction of travel."""
    wanted = rows if position.values is None else rows.filter(positions.beyond(order, position))
    return list((wanted if position.forward else wanted.reverse())[: size + 1])


class LongListAdmin(UnfoldAdmin):  # type: ignore[misc]  # unfold has no types
    """For every table that can grow. `ordering` begins an index, or `sortable_by` leaves it."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count the whole table for each choice
    paginator = CountedPaginator
    list_per_page = PER_PAGE
    list_max_show_all = SHOWN_AT_ONCE

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_paginator(
        self, request: HttpRequest, rows: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> Paginator[Any]:
        """Django pages a thing's history with the paginator of its list."""
        if rows.model is LogEntry:
            return HistoryPaginator(rows, *args, **kwargs)
        found: Paginator[Any] = super().get_paginator(request, rows, *args, **kwargs)
        return found

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """All of a list are acted on where its page has said how many they are. What is done and
        what is told of it are one: Django's own action tells of a deletion before it deletes."""
        across = request.POST.get("select_across", "0") not in ("", "0")
        if across and self._is_uncounted(queryset):
            told = f"There are more than {COUNTED:,}: filter the list, or select page by page."
            self.message_user(request, told, messages.WARNING)
            return None
        with transaction.atomic():
            answer: HttpResponse | None = super().response_action(request, queryset)
        return answer

    def _is_uncounted(self, rows: QuerySet[Any]) -> bool:
        return rows.order_by()[: COUNTED + 1].count() > COUNTED
