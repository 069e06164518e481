"""The quarantine in the admin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from downloader import configured
from registry.models import Model
from tests.downloader.conftest import downloaded
from tests.downloader.test_admin import staff, text
from tests.hubs import Hub, faults

pytestmark = pytest.mark.django_db

PAGE = "/admin/downloader/download/quarantine/"


@pytest.fixture
def held(hub: Hub, checkpoint: str, models_root: Path) -> str:
    """The id of a file that came with one bit changed."""
    hub.faults.add(faults.FlippedBit(2_900_000), path="*.safetensors")
    assert downloaded(checkpoint).status == "failed"
    (id_,) = configured.store().quarantined()
    hub.faults.clear()
    return id_


def decide(browser: Client, id_: str, **what: str) -> Any:
    return browser.post(PAGE, {"id": id_, **what}, follow=True)


def test_what_came_in_place_of_what_is_shown(held: str) -> None:
    page = text(staff("viewer", "viewers").get(PAGE))
    assert "xl.safetensors" in page
    assert "Trust it" not in page


def test_who_may_not_decide_is_refused(held: str) -> None:
    assert decide(staff("downloader", "downloaders"), held, discard="1").status_code == 403
    assert configured.store().quarantined()


def test_trusting_a_file_needs_a_reason_and_is_written_down(checkpoint: str, held: str) -> None:
    boss = staff("boss", "operators")
    assert "say why" in text(decide(boss, held, release="1"))
    assert not configured.store().overrides()
    decide(boss, held, release="1", reason="The author has said so.")
    (override,) = configured.store().overrides()
    assert (override.by, override.reason) == ("boss", "The author has said so.")
    assert "The author has said so." in LogEntry.objects.get().change_message
    assert downloaded(checkpoint).status == "succeeded"
    assert Model.objects.get().trust == "overridden"


def test_a_file_is_discarded(held: str) -> None:
    assert "deleted" in text(decide(staff("boss", "operators"), held, discard="1"))
    assert not configured.store().quarantined()


def test_an_id_nobody_knows_is_told(models_root: Path) -> None:
    page = text(decide(staff("boss", "operators"), "../../etc", discard="1"))
    assert "Nothing is in quarantine." in page
