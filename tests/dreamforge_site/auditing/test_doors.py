"""The doors beside the API: actions of the admin, and commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.management import call_command, get_commands, load_command_class
from django.test import Client

from downloader import configured
from downloader.hub import bundle_keys
from dreamforge_site.accounts import sign_ins
from dreamforge_site.accounts.models import SignIn, User
from registry import catalog
from tests.dreamforge_site.auditing.deeds import World

pytestmark = pytest.mark.django_db

OURS = {"dreamforge_site", "dreamforge_site.accounts", "downloader", "jobs", "registry"}
# Whose entries are those of an operation of the API, and whose are looked at below.
ACTIONS = {
    "accounts.ApiKey.revoke",
    "accounts.SignIn.revoke",
    "accounts.User.deactivate",
    "jobs.Job.cancel",
    "jobs.Job.discard",
    "jobs.Job.requeue",
    "jobs.WebhookDelivery.resend",
    "jobs.WebhookEndpoint.disable",
    "jobs.WebhookEndpoint.resume",
    "jobs.WebhookEndpoint.test",
    "registry.Model.disable",
    "registry.Model.enable",
    "registry.Model.make_default",
}
# Commands that change nothing which a person decides about, and why.
LOOKING = "It only looks."
SERVING = "It runs the service."
WRITING = "It writes a file for who develops it."
QUIET = {
    "apikey_list": LOOKING,
    "config_docs": WRITING,
    "dreamforge": SERVING,
    "hub_export": "It takes nothing away and adds nothing here.",
    "hub_list": LOOKING,
    "job_create": "As over the API: the job's row names the owner.",
    "job_get": LOOKING,
    "job_list": LOOKING,
    "job_logs": LOOKING,
    "model_check": "It writes down what lies on the disk, as the service does at each start.",
    "model_collect": "What the service does every hour; nothing that anybody uses goes.",
    "model_get": LOOKING,
    "model_list": LOOKING,
    "openapi": WRITING,
    "queue_list": LOOKING,
    "retention": "What the service does by itself, by the settings.",
    "scheduler": SERVING,
    "selftest": "Its job is its own and is taken back.",
    "show_config": LOOKING,
    "web": SERVING,
    "worker": SERVING,
}


@pytest.fixture
def browser(world: World) -> Client:
    client = Client()
    client.force_login(world.boss)
    return client


def entries() -> list[tuple[str, str]]:
    """The thing, and what is told of it; oldest first."""
    return list(LogEntry.objects.order_by("pk").values_list("object_repr", "change_message"))


def act(browser: Client, where: str, action: str, key: object) -> None:
    browser.post(f"/admin/{where}/", {"action": action, "_selected_action": [str(key)]})


def test_each_action_of_the_admin_is_known_here() -> None:
    registered = admin.site._registry.items()
    found = {
        f"{model._meta.label}.{action}"
        for model, page in registered
        for action in page.actions or ()
    }
    assert found == ACTIONS


def test_each_command_takes_a_name_for_the_log_or_has_a_reason_why_not() -> None:
    ours = {(name, app) for name, app in get_commands().items() if app in OURS}
    quiet = {
        name
        for name, app in ours
        if not getattr(load_command_class(app, name), "changes_things", False)
    }
    assert quiet == set(QUIET)


def test_discarding_a_dead_letter_is_told(browser: Client, world: World) -> None:
    act(browser, "jobs/job", "discard", world.dead.pk)
    told = "discarded: dead letter → settled dead letter."
    assert entries() == [(str(world.dead), told)]


def test_disabling_a_webhook_is_told(browser: Client, world: World) -> None:
    act(browser, "jobs/webhookendpoint", "disable", world.webhook.pk)
    assert entries() == [(str(world.webhook), "disabled: active → disabled.")]


def test_the_choice_of_a_default_model_is_told_by_page_and_by_command(
    browser: Client, world: World
) -> None:
    act(browser, "registry/model", "make_default", world.model.pk)
    catalog.set_default(None)
    call_command("model_default", str(world.model.pk), "--as", "BOSS")
    told = (str(world.model), "default: enabled → enabled, the default.")
    assert entries() == [told, told]


def test_ending_somebodys_sign_in_is_told_once(browser: Client, world: World) -> None:
    sign_ins.begin(User.objects.create_user("mira"))
    sign_in = SignIn.objects.get()
    act(browser, "accounts/signin", "revoke", sign_in.pk)
    act(browser, "accounts/signin", "revoke", sign_in.pk)
    assert entries() == [(str(sign_in), "revoked: signed in → signed out.")]


def test_an_account_is_deactivated_once(browser: Client, world: World) -> None:
    mira = User.objects.create_user("mira")
    act(browser, "accounts/user", "deactivate", mira.pk)
    act(browser, "accounts/user", "deactivate", mira.pk)
    assert entries() == [("mira", "deactivated: active → inactive.")]


def test_a_look_at_the_whole_disk_is_told_by_command_too(world: World) -> None:
    configured.store().root.mkdir(parents=True)
    call_command("hub_scan", "--as", "boss")
    call_command("hub_verify", "--all", "--as", "boss")
    assert entries() == [
        ("Everything on the disk", "scan started."),
        ("Everything on the disk", "verification started."),
    ]


def test_moving_the_models_is_told_with_the_place(world: World, tmp_path: Path) -> None:
    configured.store().root.mkdir(parents=True)
    call_command("hub_move", str(tmp_path / "new"), "--as", "boss")
    told = f"copied: to: {tmp_path}/new; files: 0; old place deleted: no."
    assert entries() == [("The models root", told)]


def test_trusting_a_signer_is_told(world: World, settings: object, tmp_path: Path) -> None:
    settings.TRUSTED_BUNDLE_KEYS = tmp_path / "keys.json"  # type: ignore[attr-defined]
    bundle_keys.trust("ab" * 16, by=world.boss)
    assert entries() == [("Signers of bundles", f"trusted: key: {'ab' * 16}.")]
