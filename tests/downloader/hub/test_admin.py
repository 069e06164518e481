"""Repositories in the admin, as people with different rights see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from downloader.hub import registering
from downloader.hub.models import Repo, RepoFile, Snapshot
from jobs import lifecycle, submission
from jobs.models import Job
from tests.callers import staff
from tests.downloader.conftest import run_next
from tests.downloader.hub.conftest import mirror, sync
from tests.downloader.test_admin import text
from tests.hubs import Hub

pytestmark = pytest.mark.django_db

LIST = "/admin/downloader/repo/"
HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 900


@pytest.fixture
def boss(db: None) -> Client:
    return staff("boss", "operators")


@pytest.fixture
def viewer(db: None) -> Client:
    return staff("viewer", "viewers")


def page(repo: Repo) -> str:
    return f"{LIST}{repo.pk}/change/"


def do(browser: Client, repo: Repo, what: str) -> Any:
    return browser.post(f"{LIST}{repo.pk}/do/", {"do": what})


def offered(shown: str) -> set[str]:
    return {name for name in ("sync", "download", "install", "check") if f'value="{name}"' in shown}


def test_the_list_shows_how_much_of_a_repository_is_here(boss: Client, synced: Repo) -> None:
    shown = text(boss.get(LIST))
    assert "forge/sketch@main" in shown
    assert "3 of 6 files" in shown


def test_a_page_offers_what_would_do_something(boss: Client, repo: Repo) -> None:
    assert offered(text(boss.get(page(repo)))) == {"sync", "download"}
    sync(repo)
    assert offered(text(boss.get(page(repo)))) == {"sync", "download", "install", "check"}


def test_the_buttons_make_jobs_that_do_what_they_say(boss: Client, repo: Repo) -> None:
    for what, kind in (("sync", "sync"), ("download", "mirror"), ("verify", "hub_verify")):
        assert do(boss, repo, what).status_code == 302
        job = run_next()
        assert (job.type, job.status, job.error_message) == (kind, "succeeded", "")
    assert registering.get(repo.pk).is_downloaded


def test_an_update_is_shown_with_its_cost_and_approved(
    boss: Client, hub: Hub, synced: Repo
) -> None:
    mirror(synced)
    hub.huggingface[synced.full_name].commit({"config.json": '{"model_type": "new"}'})
    do(boss, synced, "check")
    run_next()
    shown = text(boss.get(page(synced)))
    assert "Update available" in shown
    assert 'value="update"' in shown
    assert do(boss, synced, "update").status_code == 302
    assert run_next().status == "succeeded"
    assert "Update available" not in text(boss.get(page(synced)))


def test_what_a_removal_frees_is_shown_before_it_is_done(boss: Client, synced: Repo) -> None:
    mirror(synced)
    removal = f"{LIST}{synced.pk}/remove/"
    assert "forge/sketch/main" in text(boss.get(removal))
    assert registering.get(synced.pk).snapshot
    assert boss.post(removal, {"forget": "1"}).status_code == 302
    assert not Repo.objects.exists()
    assert LogEntry.objects.filter(user__username="boss").exists()


def test_a_repository_that_its_source_does_not_have_is_forgotten_from_its_page(
    hub: Hub, boss: Client, models_root: object
) -> None:
    absent = registering.register("forge/absent")[0]
    assert sync(absent).status == "failed"
    assert registering.get(absent.pk).status == "error"
    removal = f"{LIST}{absent.pk}/remove/"
    assert f'href="{removal}"' in boss.get(page(absent)).content.decode()
    assert "Remove and forget the repository" in text(boss.get(removal))
    assert boss.post(removal, {"forget": "1"}).status_code == 302
    assert not Repo.objects.exists()


def test_who_only_looks_is_offered_no_button_and_refused_the_deed(
    viewer: Client, synced: Repo
) -> None:
    shown = text(viewer.get(page(synced)))
    assert offered(shown) == set()
    assert "remove" not in shown.casefold().replace("removed", "")
    done = Job.objects.count()
    do(viewer, synced, "sync")
    assert Job.objects.count() == done
    assert viewer.get(f"{LIST}{synced.pk}/remove/").status_code == 403
    explorer = text(viewer.get(f"{LIST}explore/"))
    assert 'data-may-download="no"' in explorer
    assert 'data-part="start"' not in explorer


def test_a_deed_nobody_knows_is_not_there(boss: Client, repo: Repo) -> None:
    assert do(boss, repo, "explode").status_code == 404
    assert boss.get(f"{LIST}{repo.pk}/do/").status_code == 403


def test_hostile_names_are_shown_as_text(boss: Client, repo: Repo) -> None:
    snapshot = Snapshot.objects.create(repo=repo, commit="a" * 40, file_count=1)
    RepoFile.objects.create(snapshot=snapshot, path=HOSTILE)
    Repo.objects.filter(pk=repo.pk).update(snapshot=snapshot, licence=HOSTILE[:200])
    shown = text(boss.get(page(repo), {"files": "<script>"}))
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


def test_a_page_of_ten_thousand_files_costs_as_many_queries_as_one_of_ten(
    boss: Client, repo: Repo
) -> None:
    few, many = ten(repo), ten(registering.register("forge/large")[0])
    rows = [RepoFile(snapshot=many.snapshot, path=f"part/{n:05}") for n in range(9_990)]
    RepoFile.objects.bulk_create(rows, batch_size=1000)
    assert cost(boss, page(few)) == cost(boss, page(many))
    first = text(boss.get(page(many)))
    assert "More files" in first
    assert "part/00050" in text(boss.get(page(many), {"after": "part/00000"}))


def ten(repo: Repo) -> Repo:
    snapshot = Snapshot.objects.create(repo=repo, commit="b" * 40, file_count=10)
    RepoFile.objects.bulk_create([RepoFile(snapshot=snapshot, path=f"file/{n}") for n in range(10)])
    Repo.objects.filter(pk=repo.pk).update(snapshot=snapshot)
    return registering.get(repo.pk)


def cost(browser: Client, address: str) -> int:
    browser.get(address)
    with CaptureQueriesContext(connection) as queries:
        text(browser.get(address))
    return len(queries)


def test_a_repository_is_not_removed_under_a_job_that_works_on_its_files(
    boss: Client, synced: Repo
) -> None:
    assert synced.snapshot
    file = synced.snapshot.files.get(path="unet/model.safetensors")
    job = submission.submit("mirror", {"artifact_ids": [str(file.pk)]}, None)
    assert lifecycle.start(job.pk, "a worker") is not None
    answer = boss.post(f"{LIST}{synced.pk}/remove/", {"forget": "1"}, follow=True)
    assert f"The job {job.pk} works on {synced}" in text(answer)
    assert Repo.objects.filter(pk=synced.pk).exists()


def lit(browser: Client, address: str) -> list[str]:
    """The lines of the sidebar that say: you are here."""
    groups = browser.get(address).context["sidebar_navigation"]
    return [item["title"] for group in groups for item in group["items"] if item["active"]]


def test_the_sidebar_says_of_one_line_that_it_is_where_you_are(boss: Client, repo: Repo) -> None:
    found = [lit(boss, address) for address in (LIST, page(repo), f"{LIST}explore/")]
    assert found == [["Repositories"], ["Repositories"], ["Explore the hub"]]
