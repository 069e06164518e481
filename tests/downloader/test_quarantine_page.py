"""The quarantine in the admin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.test import Client

from downloader import configured
from downloader.admin import quarantine
from dreamforge_site.accounts.models import User
from registry.models import Model
from tests.callers import staff
from tests.downloader.conftest import downloaded
from tests.downloader.test_admin import text
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
    told = LogEntry.objects.get().change_message
    assert told.startswith("trusted: file: xl.safetensors; source: hf:forge/xl@")
    assert told.endswith("reason: The author has said so.")
    assert downloaded(checkpoint).status == "succeeded"
    assert Model.objects.get().trust == "overridden"


def test_a_file_is_discarded(held: str) -> None:
    assert "deleted" in text(decide(staff("boss", "operators"), held, discard="1"))
    assert not configured.store().quarantined()


def test_an_id_nobody_knows_is_told(models_root: Path) -> None:
    page = text(decide(staff("boss", "operators"), "../../etc", discard="1"))
    assert "Nothing is in quarantine." in page


def test_a_decision_by_command_is_written_down_like_one_on_the_page(held: str) -> None:
    User.objects.create_superuser("boss")
    reason = "why " * 100
    call_command(
        *("model_quarantine", "--release", held, "--by", "Somebody"),
        *("--reason", reason, "--as", "boss"),
    )
    (override,) = configured.store().overrides()
    entry = LogEntry.objects.get()
    assert (override.by, str(entry.user), entry.object_repr) == ("Somebody", "boss", "Quarantine")
    assert entry.change_message.endswith(f"reason: {reason.strip()}.")


def test_a_page_reads_so_many_records_and_leads_to_the_others(
    models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "SHOWN", 3)
    store = configured.store()
    ids = [f"{number:024x}" for number in range(7)]
    folders = [store.root / store.layout.QUARANTINE / id_ for id_ in ids]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "bytes").write_bytes(b"x")
    browser = staff("viewer", "viewers")
    pages = [
        shown_ids(browser, address) for address in ("", f"?after={ids[2]}", f"?after={ids[5]}")
    ]
    assert pages == [ids[:3], ids[3:6], ids[6:]]
    first, last = text(browser.get(PAGE)), text(browser.get(f"{PAGE}?after={ids[5]}"))
    assert f'href="?after={ids[2]}"' in first
    assert 'rel="next"' not in last
    read: list[Any] = []
    monkeypatch.setattr("downloader.library.store.quarantine._readable", read.append)
    assert list(store.quarantined(most=2)) == ids[:2]
    assert len(read) == 2


def shown_ids(browser: Client, query: str) -> list[str]:
    return [entry["id"] for entry in browser.get(PAGE + query).context["held"]]
