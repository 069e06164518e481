"""The history of a thing, as somebody sees it who may only look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from downloader import starting
from downloader.hub import registering
from downloader.models import Download
from jobs import queueing, submission
from registry import catalog
from tests.callers import staff
from tests.dreamforge_site.auditing.deeds import World

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def viewer(world: World) -> Client:
    return staff("viewer", "viewers")


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


THINGS: dict[str, tuple[str, Callable[[World], Any], Callable[[World], object], str]] = {
    "job": (
        "jobs/job",
        lambda world: world.queued,
        lambda world: submission.cancel(world.queued, by=world.boss),
        "canceled: queued → canceled.",
    ),
    "repository": (
        "downloader/repo",
        lambda world: world.repo,
        lambda world: registering.set_auto_sync(world.repo, True, by=world.boss),
        "changed: auto_sync: no → yes.",
    ),
    "model": (
        "registry/model",
        lambda world: world.model,
        lambda world: catalog.disable(world.model.pk, by=world.boss),
        "disabled: enabled → disabled.",
    ),
    "download": (
        "downloader/download",
        lambda world: Download.objects.create(job=world.scanning),
        lambda world: starting.started(world.scanning, world.boss),
        "scan started.",
    ),
}


@pytest.mark.parametrize("thing", THINGS)
def test_the_page_of_a_thing_leads_to_what_people_did_to_it(
    viewer: Client, world: World, thing: str
) -> None:
    where, row, act, told = THINGS[thing]
    page = f"/admin/{where}/{row(world).pk}/"
    act(world)
    assert f"{page}history/" in text(viewer.get(f"{page}change/"))
    shown = text(viewer.get(f"{page}history/", follow=True))
    assert (told in shown, "boss" in shown) == (True, True)


def test_a_queue_has_a_history_once_somebody_touched_it(viewer: Client, world: World) -> None:
    history = "/admin/jobs/queue/io/history/"
    assert history not in text(viewer.get("/admin/jobs/queue/"))
    queueing.pause("io", "a new disk", by=world.boss)
    assert history in text(viewer.get("/admin/jobs/queue/"))
    assert "paused: open → paused (a new disk)." in text(viewer.get(history))


def test_hostile_words_in_a_history_are_text(viewer: Client, world: World) -> None:
    queueing.pause("io", HOSTILE, by=world.boss)
    shown = text(viewer.get("/admin/jobs/queue/io/history/"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert ("<script>alert" in shown, "\u202e" in shown) == (False, False)
