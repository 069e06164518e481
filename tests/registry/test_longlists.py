"""Turning the pages of a long list: every row once, in any order, whatever goes meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import F
from django.db.models.functions import Lower
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dreamforge_site.accounts.admin import UserAdmin
from dreamforge_site.accounts.models import User
from registry.admin import longlists, positions
from registry.admin.longlists import LongListAdmin
from registry.models import Model

pytestmark = pytest.mark.django_db

MODELS = "/admin/registry/model/"
USERS = "/admin/accounts/user/"
NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
PER_PAGE = 3
ROWS = 12  # whole pages: a first page that is torn is drawn anew
BY_LAST_LOGIN = 6  # the column


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LongListAdmin, "list_per_page", PER_PAGE)
    monkeypatch.setattr(LongListAdmin, "list_max_show_all", 0)


@pytest.fixture
def boss(db: None) -> Client:
    browser = Client()
    browser.force_login(User.objects.create_superuser("boss"))
    return browser


@pytest.fixture
def models(db: None) -> list[Model]:
    """Newest first; the times of five each are the same, whatever page they are on."""
    made = [
        Model(
            name=f"m{at}", kind="vae" if at % 2 else "lora", version="1",
            source_uri="hf:acme/m", created_at=NOON - timedelta(seconds=at // 5),
        )
        for at in range(ROWS)
    ]  # fmt: skip
    Model.objects.bulk_create(made)
    return list(Model.objects.order_by("-created_at", "-id"))


@pytest.fixture
def users(boss: Client) -> None:
    """Some have never signed in, and some have at the same time."""
    times = [None, NOON, NOON, None, NOON - timedelta(days=1), None, NOON + timedelta(1), None]
    made = [User(username=f"u{at}", name_key=f"u{at}", last_login=t) for at, t in enumerate(times)]
    User.objects.bulk_create(made)


def shown(answer: Any) -> Any:
    assert answer.status_code == 200
    return answer.context["cl"]


def link(answer: Any, rel: str) -> str:
    [url] = [link.url for link in shown(answer).page_links if link.rel == rel]
    return str(url)


def walk(browser: Client, address: str, rel: str) -> Iterator[list[Any]]:
    """The rows of each page, from this one on; of a walk in circles the first."""
    path, answer = urlsplit(address).path, browser.get(address)
    for _ in range(ROWS):
        yield list(shown(answer).result_list)
        url = link(answer, rel)
        if not url:
            return
        answer = browser.get(path + url)


def walked(browser: Client, address: str, rel: str) -> list[Any]:
    return [row for page in walk(browser, address, rel) for row in page]


def walked_back(browser: Client, address: str) -> list[Any]:
    """From the last page to the first, each page read as it stands."""
    last = urlsplit(address).path + link(browser.get(address), "last")
    pages = list(walk(browser, last, "prev"))
    return [row for page in reversed(pages) for row in page]


def test_a_walk_shows_each_row_once_and_in_order(boss: Client, models: list[Model]) -> None:
    assert walked(boss, MODELS, "next") == models


def test_the_way_back_shows_the_same(boss: Client, models: list[Model]) -> None:
    assert walked_back(boss, MODELS) == models


@pytest.mark.parametrize("column", [BY_LAST_LOGIN, -BY_LAST_LOGIN], ids=["rising", "falling"])
def test_a_column_that_can_be_empty_is_walked_both_ways(
    boss: Client, users: None, column: int
) -> None:
    address = f"{USERS}?o={column}"
    last_login = F("last_login")
    order = last_login.asc(nulls_first=True) if column > 0 else last_login.desc(nulls_last=True)
    expected = list(User.objects.order_by(order, "username"))
    assert walked(boss, address, "next") == expected
    assert walked_back(boss, address) == expected


def test_pages_of_names_are_called_other_than_pages_of_times(
    boss: Client, users: None, models: list[Model]
) -> None:
    labels = [[link.label for link in shown(boss.get(p)).page_links] for p in (MODELS, USERS)]
    assert labels == [list(longlists.BY_TIME), list(longlists.BY_WORD)]


def test_a_list_of_one_page_has_no_links(boss: Client, models: list[Model]) -> None:
    Model.objects.filter(pk__in=[row.pk for row in models[PER_PAGE:]]).delete()
    assert shown(boss.get(MODELS)).page_links == []


def test_a_link_holds_though_the_row_it_names_is_gone(boss: Client, models: list[Model]) -> None:
    onward = link(boss.get(MODELS), "next")
    models[PER_PAGE - 1].delete()
    assert shown(boss.get(MODELS + onward)).result_list == models[PER_PAGE : 2 * PER_PAGE]


def test_rows_that_come_meanwhile_move_no_page(boss: Client, models: list[Model]) -> None:
    onward = link(boss.get(MODELS), "next")
    Model.objects.create(name="new", kind="vae", version="1", source_uri="hf:acme/m")
    assert shown(boss.get(MODELS + onward)).result_list == models[PER_PAGE : 2 * PER_PAGE]


def test_the_way_back_to_too_few_rows_is_the_first_page(boss: Client, models: list[Model]) -> None:
    second = boss.get(MODELS + link(boss.get(MODELS), "next"))
    back = link(second, "prev")
    models[0].delete()
    first = boss.get(MODELS + back)
    assert shown(first).result_list == models[1 : PER_PAGE + 1]
    assert link(first, "prev") == ""


def test_the_way_on_to_no_row_is_the_last_page(boss: Client, models: list[Model]) -> None:
    *_, before_last, _last = walk(boss, MODELS, "next")
    onward = positions.written(positions.AFTER, before_last[-1], order_of(boss))
    left = models[: models.index(before_last[-1]) + 1]
    Model.objects.exclude(pk__in=[row.pk for row in left]).delete()
    assert shown(boss.get(MODELS, {"p": onward})).result_list == left[-PER_PAGE:]


def order_of(browser: Client) -> Any:
    return shown(browser.get(MODELS)).keys


@pytest.mark.parametrize(
    "position",
    ["3", "0", "", "after.", "before.e30", "after.WyIxIl0:bad", "x" * 5000, "LAST", "after.\0"],
)
def test_a_position_that_the_list_has_not_written_is_the_first_page(
    boss: Client, models: list[Model], position: str
) -> None:
    assert shown(boss.get(MODELS, {"p": position})).result_list == models[:PER_PAGE]


def test_a_position_of_another_order_is_the_first_page(boss: Client, users: None) -> None:
    theirs = parse_qs(urlsplit(link(boss.get(f"{USERS}?o={BY_LAST_LOGIN}"), "next")).query)["p"]
    first = shown(boss.get(USERS)).result_list
    assert shown(boss.get(USERS, {"p": theirs[0]})).result_list == first


def test_a_filter_and_a_search_stay_while_pages_turn(boss: Client, models: list[Model]) -> None:
    address = f"{MODELS}?kind__exact=lora&q=acme"
    Model.objects.update(search_text="acme")
    assert walked(boss, address, "next") == [row for row in models if row.kind == "lora"]


def test_another_filter_or_search_begins_at_the_first_page(
    boss: Client, models: list[Model]
) -> None:
    page = boss.get(MODELS + link(boss.get(MODELS), "next")).content.decode()
    leading = re.findall(r'href="(\?[^"]*)"', page)
    of_filters = [url for url in leading if "kind__exact" in url]
    assert of_filters
    assert [url for url in of_filters if "p=" in url] == []
    assert '<input type="hidden" name="p"' not in page


# How many there are


def test_few_rows_are_counted_and_many_are_more_than_that(
    boss: Client, models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = told(boss)
    monkeypatch.setattr(longlists, "COUNTED", ROWS - 1)
    assert (exact, told(boss)) == (f"{ROWS} models", f"more than {ROWS - 1} models")


def told(browser: Client) -> str:
    page = browser.get(MODELS).content.decode()
    [count] = re.findall(r'<p class="df-pages-count">(.*?)</p>', page, re.DOTALL)
    return " ".join(count.split())


def test_a_part_of_the_list_is_counted_above_it_with_a_way_back_to_all(
    boss: Client, models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = (MODELS, f"{MODELS}?kind__exact=lora", f"{MODELS}?q=nothing")
    told = ["(<a href=" in boss.get(page).content.decode() for page in pages]
    monkeypatch.setattr(longlists, "COUNTED", 2)
    told += ["(<a href=" in boss.get(page).content.decode() for page in pages[:2]]
    assert told == [False, True, True, False, False]


def test_counts_of_each_choice_are_not_offered(boss: Client, models: list[Model]) -> None:
    """They read the whole table for each, also for who knows their address."""
    with CaptureQueriesContext(connection) as plain:
        page = boss.get(MODELS).content.decode()
    with CaptureQueriesContext(connection) as asked_for:
        boss.get(f"{MODELS}?_facets=True")
    assert "_facets" not in page
    assert len(asked_for) == len(plain)


def test_a_short_list_is_shown_whole_when_asked(
    boss: Client, models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LongListAdmin, "list_max_show_all", ROWS)
    assert "Show all" in boss.get(MODELS).content.decode()
    assert shown(boss.get(f"{MODELS}?all=")).result_list == models
    monkeypatch.setattr(LongListAdmin, "list_max_show_all", ROWS - 1)
    assert shown(boss.get(f"{MODELS}?all=")).result_list == models[:PER_PAGE]


# Histories


def test_a_history_is_shown_to_its_end_the_newest_first(
    boss: Client, models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(longlists, "COUNTED", 150)
    note(models[0], 250)
    history = f"{MODELS}{models[0].pk}/history/"
    pages = [list(boss.get(history, {"p": n}).context["action_list"]) for n in (1, 2, 3)]
    shown = [entry.change_message for page in pages for entry in page]
    assert shown == [f"did {number}." for number in reversed(range(250))]
    assert "250 entries" in " ".join(boss.get(history).content.decode().split())


def note(thing: Model, times: int) -> None:
    """Of the thing, all in one moment."""
    about = ContentType.objects.get_for_model(Model)
    facts = {"user": User.objects.get(username="boss"), "object_id": str(thing.pk)}
    LogEntry.objects.bulk_create(
        LogEntry(
            content_type=about, action_flag=CHANGE, action_time=NOON,
            change_message=f"did {number}.", **facts,
        )
        for number in range(times)
    )  # fmt: skip


# Acting on many


def test_what_could_not_be_deleted_is_in_no_log(
    boss: Client, users: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(UserAdmin, "delete_queryset", breaks)
    row = User.objects.get(username="u0")
    form = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    with pytest.raises(RuntimeError):
        boss.post(USERS, form)
    assert User.objects.filter(pk=row.pk).exists()
    assert not LogEntry.objects.exists()


def act(browser: Client, address: str, *rows: Model, across: str = "0") -> str:
    form = {
        "action": "disable",
        "index": "0",
        "select_across": across,
        "_selected_action": [str(row.pk) for row in rows],
    }
    return str(browser.post(address, form, follow=True).content.decode())


@pytest.fixture
def enabled(models: list[Model]) -> list[Model]:
    Model.objects.update(installed=True, enabled=True, trust="verified", local_path="x")
    return models


def test_what_is_ticked_on_a_later_page_is_acted_on(boss: Client, enabled: list[Model]) -> None:
    later = MODELS + link(boss.get(MODELS), "last")
    assert "2 disabled" in act(boss, later, enabled[-1], enabled[-2])
    assert Model.objects.filter(enabled=False).count() == 2


def test_all_means_all_that_the_filter_leaves_from_whatever_page(
    boss: Client, enabled: list[Model]
) -> None:
    address = f"{MODELS}?kind__exact=lora"
    later = MODELS + link(boss.get(address), "last")
    act(boss, later, enabled[0], across="1")
    loras = {str(row.pk) for row in enabled if row.kind == "lora"}
    disabled = Model.objects.filter(enabled=False).values_list("pk", flat=True)
    assert {str(pk) for pk in disabled} == loras


@pytest.mark.parametrize("across", ["1", "2"])
def test_all_of_more_than_were_counted_is_neither_offered_nor_done(
    boss: Client, enabled: list[Model], monkeypatch: pytest.MonkeyPatch, across: str
) -> None:
    offer = re.compile(r"Select all \d+ models")
    assert offer.search(boss.get(MODELS).content.decode())
    monkeypatch.setattr(longlists, "COUNTED", ROWS - 1)
    assert not offer.search(boss.get(MODELS).content.decode())
    assert "select page by page" in act(boss, MODELS, enabled[0], across=across)
    assert not Model.objects.filter(enabled=False).exists()
    assert "1 disabled" in act(boss, MODELS, enabled[0])


# Orders


def test_an_order_ends_with_what_tells_all_rows_apart() -> None:
    given = ("-created_at", "-created_at", "pk", "name")
    assert [key.path for key in positions.keys(Model, given)] == ["created_at", "id"]


def test_an_order_by_what_is_no_column_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="no column"):
        positions.keys(Model, [Lower("name").asc()])


def test_each_column_that_a_list_can_be_sorted_by_can_be_paged_by(boss: Client) -> None:
    columns = list(sortable())
    asked = [url for model, at in columns for url in (f"{list_of(model)}?o={at}",)]
    assert len(columns) >= 10
    assert {boss.get(url).status_code for url in asked} == {200}


@pytest.mark.parametrize("order", [f"{BY_LAST_LOGIN}", f"-{BY_LAST_LOGIN}.1"])
def test_an_order_by_an_offered_column_is_taken(boss: Client, users: None, order: str) -> None:
    assert order_of_users(boss, order)[0] == "last_login"


@pytest.mark.parametrize("order", ["3", "-3", "7", "0", "99", "x", "3.-4", ""])
def test_an_order_that_a_list_does_not_offer_is_its_own(
    boss: Client, users: None, order: str
) -> None:
    """A column without an index would have the database sort the table."""
    assert order_of_users(boss, order) == ["username"]
    assert "o" not in shown(boss.get(USERS, {"o": order})).params


def order_of_users(browser: Client, order: str) -> list[str]:
    return [key.path for key in shown(browser.get(USERS, {"o": order})).keys]


LISTS = [row for row, page in admin.site._registry.items() if page.ordering or row._meta.ordering]


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model._meta.label)
def test_the_longest_name_there_can_be_is_the_end_of_a_page(model: Any) -> None:
    """A letter beyond the first 65,536 is twelve characters of JSON."""
    page, row = admin.site._registry[model], longest(model)
    offered = [name for name in page.sortable_by or () if name in field_names(model)]
    own = page.ordering or model._meta.ordering
    orders = [positions.keys(model, order) for order in (own, *([name, "pk"] for name in offered))]
    found = [positions.read(positions.written(positions.AFTER, row, keys), keys) for keys in orders]
    assert [len(one.values or ()) for one in found] == [len(keys) for keys in orders]


def field_names(model: Any) -> set[str]:
    return {field.name for field in model._meta.concrete_fields}


def longest(model: Any) -> Any:
    texts = [f for f in model._meta.concrete_fields if f.get_internal_type() == "CharField"]
    return model(**{field.attname: "\U0001f98a" * field.max_length for field in texts})


def sortable() -> Iterator[tuple[Any, int]]:
    """Columns by their numbers: the first is for the ticks."""
    for model, page in admin.site._registry.items():
        for at, column in enumerate(page.list_display, 1):
            if page.sortable_by is None or column in page.sortable_by:
                yield model, at


def list_of(model: Any) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
