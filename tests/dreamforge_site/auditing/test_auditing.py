"""Whatever changes something is in the admin's log, the same whichever door it came by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient

from downloader.hub import foreground
from downloader.library.errors import Canceled
from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.webhooks.models import Condition, WebhookEndpoint
from tests.dreamforge_site.auditing.deeds import LOGGED, NOT_LOGGED, Deed, World

pytestmark = pytest.mark.django_db

UNSAFE = {"post", "put", "patch", "delete"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Entry(NamedTuple):
    kind: str
    thing: str | None
    flag: int
    message: str
    by: str


NO_SUCH_DOOR = None


@pytest.fixture(autouse=True)
def _nothing_is_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command stops where its job would begin."""

    def stop(*_: object) -> None:
        raise Canceled("It was stopped.")

    monkeypatch.setattr(foreground, "_lease", stop)


def told(world: World, act: Callable[[], object]) -> list[Entry]:
    """What the log says of an act, which is undone again. What is new has no name of its own."""
    with transaction.atomic():
        act()
        found = [_entry(world, entry) for entry in LogEntry.objects.order_by("pk")]
        transaction.set_rollback(True)
    return found


def _entry(world: World, entry: LogEntry) -> Entry:
    def named(text: str) -> str:
        return UUID.sub(lambda id_: id_[0] if id_[0] in world.ids else "NEW", text)

    assert entry.content_type is not None
    thing = named(entry.object_id) if entry.object_id else None
    message = named(entry.change_message)
    return Entry(entry.content_type.model, thing, entry.action_flag, message, str(entry.user))


def by_api(world: World, deed: Deed) -> list[Entry]:
    client = APIClient()
    client.force_authenticate(world.boss)
    method, path, body = deed.api(world)
    answers: list[Any] = []
    found = told(world, lambda: answers.append(client.generic(method.upper(), path, **sent(body))))
    assert answers[0].status_code < 300, answers[0].content
    return found


def sent(body: dict[str, Any] | None) -> dict[str, Any]:
    return {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}


def by_page(world: World, deed: Deed) -> list[Entry] | None:
    if deed.admin is None:
        return NO_SUCH_DOOR
    path, form = deed.admin(world)
    browser = Client()
    browser.force_login(world.boss)
    return told(world, lambda: browser.post(path, form))


def by_command(world: World, deed: Deed, *more: str) -> list[Entry] | None:
    if deed.command is None:
        return NO_SUCH_DOOR
    name, *words = deed.command(world)

    def run() -> None:
        with suppress(CommandError, SystemExit):  # what it finds out is another matter
            call_command(name, *words, *more)

    return told(world, run)


@pytest.fixture
def resting(world: World, request: pytest.FixtureRequest) -> World:
    """With its webhook paused where that is to be resumed."""
    if "webhooks_resume" in request.node.name:
        WebhookEndpoint.objects.update(condition=Condition.PAUSED)
    return world


def test_each_operation_that_changes_something_is_told_or_has_a_reason_why_not() -> None:
    document = json.loads((settings.BASE_DIR / "docs/openapi/openapi.v1.json").read_text())
    unsafe = {
        operation["operationId"]
        for methods in document["paths"].values()
        for method, operation in methods.items()
        if method in UNSAFE
    }
    assert set(LOGGED) | set(NOT_LOGGED) == unsafe
    assert set(LOGGED) & set(NOT_LOGGED) == set()


@pytest.mark.parametrize("name", LOGGED)
def test_a_change_is_told_the_same_whichever_door_it_came_by(resting: World, name: str) -> None:
    deed = LOGGED[name]
    entries = by_api(resting, deed)
    assert (entries[0].message[: len(deed.told)], entries[0].by) == (deed.told, "boss")
    assert by_page(resting, deed) in (NO_SUCH_DOOR, entries)
    named = by_command(resting, deed, "--as", "boss")
    assert without_jobs(named) in (NO_SUCH_DOOR, without_jobs(entries))
    assert by_command(resting, deed) in (NO_SUCH_DOOR, [])  # in nobody's name


def without_jobs(entries: list[Entry] | None) -> list[Entry] | None:
    """Some commands do the work themselves, without a job."""
    if entries is None:
        return NO_SUCH_DOOR
    return [one._replace(message=one.message.replace(" as job NEW", "")) for one in entries]


def test_most_changes_have_several_doors() -> None:
    """Else the test above would compare nothing with nothing."""
    assert sum(deed.admin is not None for deed in LOGGED.values()) > 20
    assert sum(deed.command is not None for deed in LOGGED.values()) > 20


def test_no_entry_tells_a_secret(world: World) -> None:
    names = ("webhooks_create", "webhooks_delete", "webhooks_secret", "models_defaults")
    messages = [entry.message for name in names for entry in by_api(world, LOGGED[name])]
    assert len(messages) == len(names)
    assert "s3cret" not in " ".join(messages)


def test_a_job_of_the_hub_that_is_created_among_all_jobs_is_told(world: World) -> None:
    client = APIClient()
    client.force_authenticate(world.boss)

    def created(body: dict[str, str]) -> list[str]:
        entries = told(world, lambda: client.post("/v1/jobs", body, format="json"))
        return [entry.message for entry in entries]

    sync = {"type": "sync", "repo_id": str(world.repo.pk)}
    assert created(sync) == ["sync started as job NEW."]
    assert created({"type": "selftest"}) == []


def test_what_the_service_does_by_itself_is_in_nobodys_name(world: World) -> None:
    submission.submit("sync", {"repo_id": str(world.repo.pk)}, None)
    assert not LogEntry.objects.exists()


def test_a_command_in_an_unknown_name_does_nothing(world: World) -> None:
    with pytest.raises(CommandError, match="no user 'mallory'") as refused:
        call_command("model_disable", str(world.model.pk), "--as", "mallory")
    assert refused.value.returncode == 3
    world.model.refresh_from_db()
    assert world.model.enabled


def test_a_repository_that_is_forgotten_alone_is_told(world: World) -> None:
    deed = Deed("", lambda world: ("delete", f"/v1/hub/models/{world.repo.pk}", None))
    assert [entry.message for entry in by_api(world, deed)] == ["forgotten; its files stay."]


def test_a_job_run_again_for_its_owner_is_told_of_who_did_it(world: World) -> None:
    mira = User.objects.create_superuser("mira")
    type(world.scanned).objects.filter(pk=world.scanned.pk).update(owner=mira)
    entries = by_api(world, LOGGED["downloads_retry"])
    assert [(entry.by, entry.message) for entry in entries] == [
        ("boss", "requeued as NEW: failed as before.")
    ]
