"""The portal's shells: who gets them, what they are told, and what a browser may do with them."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Group
from django.test import Client
from PIL import Image
from pytest_django import Settings

from dreamforge_site.accounts.groups import DOWNLOADERS, VIEWERS
from dreamforge_site.accounts.models import User
from dreamforge_site.portal import views

pytestmark = pytest.mark.django_db

PAGES = ["/app/", *(f"/app/{page.name}" for page in views.PAGES if page.name != "home")]
PASSWORD = "a password of the portal"


@pytest.fixture(autouse=True)
def signing_in_is_needed(settings: Settings) -> None:
    settings.AUTH_REQUIRED = True


@pytest.fixture
def mira(db: None) -> User:
    return User.objects.create_user("mira", password=PASSWORD)


@pytest.fixture
def signed_in(client: Client, mira: User) -> Client:
    client.force_login(mira)
    return client


def facts(answer: Any) -> dict[str, Any]:
    found = re.search(rb'<script id="facts" type="application/json">(.*?)</script>', answer.content)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


@pytest.mark.parametrize("address", PAGES)
def test_who_has_not_signed_in_is_asked_to(client: Client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer["Location"]) == (302, f"/app/sign-in?next={address}")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_kept_nowhere_and_runs_only_our_files(signed_in: Client, address: str) -> None:
    answer = signed_in.get(address)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_page_has_no_script_and_no_style_of_its_own(signed_in: Client) -> None:
    pages = [signed_in.get(address).content.decode() for address in PAGES]
    own = r"<script(?![^>]*(?:src=|application/json))|<style|\sstyle=|\son\w+=|javascript:"
    assert [re.findall(own, page) for page in pages] == [[] for _ in PAGES]


@pytest.mark.parametrize("groups", [[], [VIEWERS]])
def test_without_the_right_to_download_only_images_may_be_started(
    signed_in: Client, mira: User, groups: list[str]
) -> None:
    mira.groups.set(Group.objects.filter(name__in=groups))
    started = facts(signed_in.get("/app/"))["user"]["may_start"]
    assert "generate" in started
    assert {"download", "mirror", "sync"}.isdisjoint(started)


def test_a_downloader_is_told_of_the_right(signed_in: Client, mira: User) -> None:
    mira.groups.add(Group.objects.get(name=DOWNLOADERS))
    assert {"download", "mirror"} <= set(facts(signed_in.get("/app/"))["user"]["may_start"])


def test_a_name_of_markup_is_text(client: Client) -> None:
    client.force_login(User.objects.create_user("</script><img src=x>"))
    answer = client.get("/app/account")
    assert b"<img src=x>" not in answer.content
    assert facts(answer)["user"]["username"] == "</script><img src=x>"


def test_where_sign_in_is_off_everybody_here_is_one_user(
    client: Client, settings: Settings
) -> None:
    settings.AUTH_REQUIRED = False
    answer = client.get("/app/account")
    assert facts(answer)["user"]["username"] == "default"
    assert b"Sign out" not in answer.content


def test_where_sign_in_is_off_nobody_comes_from_elsewhere(
    client: Client, settings: Settings
) -> None:
    settings.AUTH_REQUIRED = False
    assert client.get("/app/", REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_name_and_its_password_open_the_page_that_was_asked_for(
    client: Client, mira: User
) -> None:
    sent = {"username": "mira", "password": PASSWORD, "next": "/app/images"}
    answer = client.post("/app/sign-in", sent)
    assert (answer.status_code, answer["Location"]) == (302, "/app/images")
    assert client.get("/app/images").status_code == 200


def test_signing_in_leads_to_no_other_site(client: Client, mira: User) -> None:
    sent = {"username": "mira", "password": PASSWORD, "next": "https://example.org/app/"}
    assert client.post("/app/sign-in", sent)["Location"] == "/app/"


def test_guesses_are_throttled_as_at_every_other_door(client: Client, mira: User) -> None:
    guess = {"username": "mira", "password": "a guess"}
    for _ in range(10):
        client.post("/app/sign-in", guess)
    answer = client.post("/app/sign-in", {**guess, "password": PASSWORD})
    assert b"Too many attempts" in answer.content
    assert client.get("/app/").status_code == 302


def test_signing_out_takes_a_post(signed_in: Client) -> None:
    assert signed_in.get("/app/sign-out").status_code == 405
    assert signed_in.post("/app/sign-out")["Location"] == "/app/sign-in"
    assert signed_in.get("/app/").status_code == 302


def test_the_offline_page_names_nobody(signed_in: Client) -> None:
    assert b"mira" not in signed_in.get("/app/offline").content


def test_the_worker_rules_the_app_and_keeps_its_shell_only(client: Client) -> None:
    answer = client.get("/app/worker.js")
    assert answer["Content-Type"].startswith("text/javascript")
    told = re.search(r"const FACTS = (\{.*\});", answer.content.decode())
    assert told is not None
    kept = json.loads(told[1])
    assert kept["root"] == "/app/"
    assert all(path.startswith("/static/portal/") for path in kept["files"])


@pytest.mark.parametrize("name", views.KEPT_OFFLINE)
def test_a_changed_file_makes_another_worker(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(views, "FILES", shutil.copytree(views.FILES, tmp_path / "files"))
    before = client.get("/app/worker.js").content
    assert client.get("/app/worker.js").content == before
    with (tmp_path / "files" / name).open("ab") as file:
        file.write(b" ")
    assert client.get("/app/worker.js").content != before


def test_a_changed_offline_page_makes_another_worker(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.get("/app/worker.js").content
    monkeypatch.setattr(views, "render_to_string", lambda _template: "another page")
    assert client.get("/app/worker.js").content != before


def test_the_manifest_has_what_an_app_needs(client: Client) -> None:
    answer = client.get("/app/manifest.webmanifest")
    assert answer["Content-Type"] == "application/manifest+json"
    told = answer.json()
    assert (told["name"], told["short_name"]) == ("Dream Forge", "Forge")
    assert (told["start_url"], told["scope"], told["id"]) == ("/app/", "/app/", "/app/")
    assert told["display"] == "standalone"
    assert len(told["short_name"]) <= 12  # more does not fit below an icon
    assert [one["url"] for one in told["shortcuts"]] == [
        "/app/create",
        "/app/images",
        "/app/downloads",
    ]


def test_the_icons_of_the_app_have_the_sizes_that_are_told(client: Client) -> None:
    told = client.get("/app/manifest.webmanifest").json()["icons"]
    true = [size_of(client, icon["src"]) for icon in told]
    assert true == [("PNG", icon["sizes"]) for icon in told]
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in told}
    assert [icon["sizes"] for icon in told if icon.get("purpose") == "maskable"] == ["512x512"]


def size_of(client: Client, address: str) -> tuple[str | None, str]:
    answer = client.get(address)
    image = Image.open(BytesIO(answer.getvalue()))
    answer.close()
    return image.format, f"{image.width}x{image.height}"


def test_the_offline_page_and_all_it_needs_are_kept(client: Client) -> None:
    page = client.get("/app/offline").content.decode()
    found = re.search(r"const FACTS = (\{.*\});", client.get("/app/worker.js").content.decode())
    assert found is not None
    kept = {json.loads(found[1])["offline"], *json.loads(found[1])["files"]}
    needed = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert needed
    assert needed <= kept


# One repository


def test_the_page_of_a_repository_knows_which(signed_in: Client) -> None:
    id_ = uuid.uuid4()
    answer = signed_in.get(f"/app/repositories/{id_}")
    assert answer.status_code == 200
    assert facts(answer)["repo_id"] == str(id_)


def test_where_files_lie_on_the_disk_is_told_to_staff(signed_in: Client, mira: User) -> None:
    assert facts(signed_in.get("/app/repositories"))["models_root"] == ""
    User.objects.filter(pk=mira.pk).update(is_staff=True)
    told = facts(signed_in.get("/app/repositories"))["models_root"]
    assert told == str(configured.MODELS_ROOT)


# Making an account


def test_nobody_makes_an_account_where_that_is_closed(client: Client) -> None:
    assert client.get("/app/register").status_code == 404
    assert b"/app/register" not in client.get("/app/sign-in").content


def test_where_it_is_open_the_form_is_linked_and_keeps_where_one_wanted_to_go(
    client: Client, settings: Settings
) -> None:
    settings.ALLOW_REGISTRATION = True
    wanted = "/app/images?q=a%26b"
    link = re.search(
        rb'href="(/app/register[^"]*)"', client.get("/app/sign-in", {"next": wanted}).content
    )
    assert link is not None
    answer = client.get(link[1].decode())
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert b'name="next" value="/app/images?q=a%26b"' in answer.content


def test_who_is_signed_in_needs_no_new_account(signed_in: Client, settings: Settings) -> None:
    settings.ALLOW_REGISTRATION = True
    assert signed_in.get("/app/register")["Location"] == "/app/"


@pytest.mark.parametrize(
    "address",
    ["/app/nothing", "/app/downloads/1", "/app/repositories/1", "/app/images/", "/app/register/"],
)
def test_other_addresses_are_not_there(signed_in: Client, address: str) -> None:
    assert signed_in.get(address).status_code == 404
