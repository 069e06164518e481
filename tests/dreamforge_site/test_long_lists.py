"""With 10,000 rows in every table, each page of a list asks as many questions as with a few, and no
question is answered with more than a page of rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from dreamforge_site.dashboard import keeping
from jobs import queueing
from registry.admin.longlists import LongListAdmin
from tests.dreamforge_site import manyrows
from tests.dreamforge_site.manyrows import Rows

pytestmark = pytest.mark.django_db

PER_PAGE = 10
MOST_ROWS = 505  # the images of a job; lists of the API have 50 or 200 and one more
# What looks back over a bounded number of jobs.
LOOKS_BACK = {"overview": 4_000, "a model with its files": 1_000}
SHORT = {"a delivery with its attempts": 51}
# In the words of either database. An index that is read in its order needs neither; rows that are
# equal by it may be sorted among themselves.
SORT = r'TEMP B-TREE FOR (?!RIGHT|LAST)|"Node Type": "Sort"'
SCAN = r'SCAN {table}(?! USING)|"Seq Scan"[^{{}}]*"{table}"'

TURNS = ("next", "last")

Address = Callable[[Rows], str]

# A model that is registered in the admin, and the table that its list reads in order.
CHANGELISTS = {
    "accounts.ApiKey": "accounts_apikey",
    "accounts.SignIn": "accounts_signin",
    "accounts.User": "accounts_user",
    "auth.Group": "auth_group",
    "django_celery_results.GroupResult": "django_celery_results_groupresult",
    "django_celery_results.TaskResult": "django_celery_results_taskresult",
    "downloader.Download": "downloader_download",
    "downloader.Repo": "downloader_repo",
    "jobs.Job": "jobs_job",
    "jobs.Queue": "jobs_queue",  # a page of its own: it lists what is in the code
    "jobs.WebhookDelivery": "jobs_webhookdelivery",
    "jobs.WebhookEndpoint": "jobs_webhookendpoint",
    "jobs.Worker": "jobs_worker",
    "registry.Model": "registry_model",
}
FILTERED = {
    "dead letters": "/admin/jobs/job/?dead=open",
    "failed jobs": "/admin/jobs/job/?status__exact=failed",
    "jobs of a type": "/admin/jobs/job/?type=download",
    "failed deliveries": "/admin/jobs/webhookdelivery/?status__exact=failed",
    "a search for a job": "/admin/jobs/job/?q=nobody",
}
# The lists of the API, by the names of their addresses.
API = {
    "artifacts": "jobs_artifact",
    "auth-keys": "accounts_apikey",
    "deliveries": "jobs_webhookdelivery",
    "download-files": "downloader_downloadfile",
    "downloads": "jobs_job",
    "hub-files": "downloader_repofile",
    "hub-jobs": "jobs_job",
    "hub-models": "downloader_repo",
    "jobs": "jobs_job",
    "models": "registry_model",
    "webhooks": "jobs_webhookendpoint",
}
PAGES: dict[str, Address] = {
    "overview": lambda rows: "/admin/",
    "queues": lambda rows: "/admin/jobs/queue/",
    "settings": lambda rows: "/admin/settings/",
    "quarantine": lambda rows: "/admin/downloader/download/quarantine/",
    "explorer": lambda rows: "/admin/downloader/repo/explore/",
    "a job with its events and images": lambda rows: f"/admin/jobs/job/{rows.job.pk}/change/",
    "a job's images": lambda rows: f"/v1/jobs/{rows.job.pk}/artifacts",
    "a job's log": lambda rows: f"/v1/jobs/{rows.job.pk}/logs?tail=100",
    "a job's progress": lambda rows: f"/v1/jobs/{rows.job.pk}/progress",
    "a download with its files": lambda rows: (
        f"/admin/downloader/download/{rows.download.pk}/change/"
    ),
    "a repository with its files": lambda rows: f"/admin/downloader/repo/{rows.repo.pk}/change/",
    "a repository of the API": lambda rows: f"/v1/hub/models/{rows.repo.pk}",
    "a model with its files": lambda rows: f"/admin/registry/model/{rows.model.pk}/change/",
    "a delivery with its attempts": lambda rows: (
        f"/admin/jobs/webhookdelivery/{rows.delivery.pk}/change/"
    ),
    "what people did to a model": lambda rows: f"/admin/registry/model/{rows.model.pk}/history/",
    "a user": lambda rows: f"/admin/accounts/user/{rows.boss.pk}/change/",
    "the choice of an owner": lambda rows: (
        "/admin/autocomplete/?app_label=accounts&model_name=apikey&field_name=owner"
    ),
    "home of the portal": lambda rows: "/app/",
    "images of the portal": lambda rows: "/app/images",
}


@dataclass
class Look:
    """At one page: what it asked, and how the database went about it."""

    status: int
    asked: list[str] = field(repr=False)
    most_rows: int = 0
    plans: dict[str, str] = field(default_factory=dict, repr=False)
    links: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Looks:
    few: dict[str, Look] = field(repr=False)
    many: dict[str, Look] = field(repr=False)


def changelist(label: str) -> str:
    return reverse(f"admin:{label.lower().replace('.', '_')}_changelist")


def api_address(name: str, rows: Rows) -> str:
    ids = {"download-files": rows.download.pk, "hub-files": rows.repo.pk}
    return reverse(name, args=[ids[name]] if name in ids else [])


def addresses(rows: Rows) -> dict[str, str]:
    return {
        **{label: changelist(label) for label in CHANGELISTS},
        **FILTERED,
        **{f"api {name}": api_address(name, rows) for name in API},
        **{name: address(rows) for name, address in PAGES.items()},
    }


@pytest.fixture(scope="module")
def looks(django_db_setup: None, django_db_blocker: Any) -> Looks:
    """At every page, with few rows and with many; of the rows nothing stays."""
    small_pages = pytest.MonkeyPatch.context()
    with django_db_blocker.unblock(), small_pages as patch, transaction.atomic():
        patch.setattr(LongListAdmin, "list_per_page", PER_PAGE)  # long ones take long to draw
        looks = look_around()
        transaction.set_rollback(True)
    return looks


def look_around() -> Looks:
    rows = manyrows.one_of_each()
    browser = Client()
    browser.force_login(rows.boss)
    manyrows.add_few(rows)
    ContentType.objects.get_for_models(*apps.get_models())  # looked up once a process
    few = look_at_all(browser, addresses(rows))
    manyrows.add_many(rows)
    many = look_at_all(browser, addresses(rows))
    for label in CHANGELISTS:
        links = many[label].links
        turned = {f"{label} {rel}": links[rel] for rel in TURNS if rel in links}
        many |= look_at_all(browser, {n: changelist(label) + url for n, url in turned.items()})
    for look in many.values():
        answer_again(look)
    return Looks(few, many)


def look_at_all(browser: Client, pages: dict[str, str]) -> dict[str, Look]:
    return {name: look_at(browser, address) for name, address in pages.items()}


def look_at(browser: Client, address: str) -> Look:
    keeping.forget()
    queueing.forget()
    with CaptureQueriesContext(connection) as said:
        answer = browser.get(address)
        answer.getvalue()
    shown = (answer.context or {}).get("cl") if hasattr(answer, "context") else None
    links = {link.rel: link.url for link in getattr(shown, "page_links", ()) if link.url}
    return Look(answer.status_code, [q["sql"] for q in said.captured_queries], links=links)


def answer_again(look: Look) -> None:
    """Every question by itself: how many rows it is answered with, and the plan of it."""
    how = "EXPLAIN (FORMAT JSON)" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        for sql in (sql for sql in look.asked if sql.startswith("SELECT")):
            cursor.execute(sql)
            look.most_rows = max(look.most_rows, len(cursor.fetchall()))
            cursor.execute(f"{how} {sql}")
            look.plans[sql] = str(cursor.fetchall()).replace("'", '"')


def plans_about(look: Look, table: str) -> str:
    """Of the questions for its rows: counting some of them needs no order."""
    asked = {sql: plan for sql, plan in look.plans.items() if f'FROM "{table}"' in sql}
    return "\n".join(plan for sql, plan in asked.items() if "COUNT(*)" not in sql)


def test_every_list_of_the_admin_is_looked_at() -> None:
    assert {model._meta.label for model in admin.site._registry} == set(CHANGELISTS)


def test_every_list_of_the_api_is_looked_at() -> None:
    assert set(lists_below(get_resolver())) == set(API)


def lists_below(resolver: URLResolver) -> Iterator[str]:
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            yield from lists_below(one)
        elif _is_list(_view(one)):
            yield str(one.name)


def _is_list(view: Any) -> bool:
    return getattr(view, "list_key", None) is not None and callable(getattr(view, "get", None))


def _view(pattern: URLPattern) -> Any:
    return getattr(pattern.callback, "cls", getattr(pattern.callback, "view_class", None))


EVERY_PAGE = (*CHANGELISTS, *FILTERED, *(f"api {name}" for name in API), *PAGES)


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_page_asks_as_much_of_10_000_rows_as_of_a_few(looks: Looks, name: str) -> None:
    few, many = looks.few[name], looks.many[name]
    assert (few.status, many.status) == (200, 200)
    assert len(many.asked) == len(few.asked), "\n".join(many.asked)


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_no_question_of_a_page_is_answered_with_more_than_a_page(looks: Looks, name: str) -> None:
    assert looks.many[name].most_rows <= (LOOKS_BACK | SHORT).get(name, MOST_ROWS)


LONG = [label for label in CHANGELISTS if label != "jobs.Queue"]


@pytest.mark.parametrize("label", LONG)
@pytest.mark.parametrize("turn", ["", *(f" {rel}" for rel in TURNS)], ids=["first", *TURNS])
def test_a_page_of_the_admin_reads_an_index_in_its_order(
    looks: Looks, label: str, turn: str
) -> None:
    table = CHANGELISTS[label]
    look = looks.many[label + turn]
    said = plans_about(look, table)
    assert look.status == 200
    assert said
    assert not re.findall(SORT, said), said
    assert not re.findall(SCAN.format(table=table), said), said


@pytest.mark.parametrize("label", LONG)
def test_a_page_of_the_admin_counts_no_offset(looks: Looks, label: str) -> None:
    asked = [*looks.many[label].asked, *looks.many[f"{label} next"].asked]
    assert [sql for sql in asked if "OFFSET" in sql] == []


@pytest.mark.parametrize("name", [*LONG, *FILTERED])
def test_a_page_of_the_admin_counts_rows_to_a_limit(looks: Looks, name: str) -> None:
    counting = [sql for sql in looks.many[name].asked if "COUNT(" in sql]
    assert counting
    assert [sql for sql in counting if "LIMIT" not in sql] == []


def test_the_history_of_a_thing_reads_an_index_in_its_order(looks: Looks) -> None:
    table = "django_admin_log"
    said = plans_about(looks.many["what people did to a model"], table)
    assert said
    assert not re.findall(SORT, said), said
    assert not re.findall(SCAN.format(table=table), said), said


# A page of the gallery reads the images of at most 1,000 jobs, in whatever order.
IN_ORDER = [name for name in API if name != "artifacts"]


@pytest.mark.parametrize("name", IN_ORDER)
def test_a_page_of_the_api_reads_an_index_in_its_order(looks: Looks, name: str) -> None:
    said = plans_about(looks.many[f"api {name}"], API[name])
    assert said
    assert not re.findall(SORT, said), said
    assert not re.findall(SCAN.format(table=API[name]), said), said
