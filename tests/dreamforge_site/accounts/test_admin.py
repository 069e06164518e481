from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group, Permission
from django.test import Client
from pytest_django import Settings

from dreamforge_site.accounts import deactivating, keys, sign_ins
from dreamforge_site.accounts.errors import UnauthenticatedError
from dreamforge_site.accounts.models import ApiKey, SignIn, User

from .conftest import PASSWORD

NEW_PASSWORD = "another horse battery"


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def browser(root: User) -> Client:
    return browser_of(root)


@pytest.fixture
def viewer(db: None) -> User:
    user = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="viewers"))
    return user


def logged() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def test_the_login_page_wears_our_name_and_icon(db: None) -> None:
    page = Client().get("/admin/login/").content.decode()
    assert "Dream Forge" in page
    assert "dreamforge/icon.svg" in page


def test_signing_in_leads_to_the_index_with_its_sections(root: User) -> None:
    page = Client().post(
        "/admin/login/?next=/admin/", {"username": "root", "password": PASSWORD}, follow=True
    )
    assert page.status_code == 200
    text = page.content.decode()
    assert "API documentation" in text
    assert "/admin/accounts/apikey/" in text


@pytest.mark.parametrize("path", ["user", "apikey", "signin"])
def test_every_list_and_its_search_answer(browser: Client, mira: User, path: str) -> None:
    keys.make(mira, "renders", ["read"])
    sign_ins.begin(mira)
    assert browser.get(f"/admin/accounts/{path}/").status_code == 200


def test_a_user_is_made_and_changed_with_a_log_entry(browser: Client) -> None:
    made = browser.post(
        "/admin/accounts/user/add/",
        {
            "username": "newcomer",
            "usable_password": "true",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        },
    )
    assert made.status_code == 302
    user = User.objects.get(username="newcomer")
    assert user.password.startswith("bcrypt_sha256$$2b$")
    changed = browser.post(
        f"/admin/accounts/user/{user.pk}/change/",
        {"username": "newcomer", "email": "n@example.org", "is_active": "on"},
    )
    assert changed.status_code == 302
    user.refresh_from_db()
    assert user.email == "n@example.org"
    assert user.check_password(NEW_PASSWORD)
    assert logged() == ["Added.", "changed: email: none → n@example.org."]


def test_what_was_edited_of_a_user_is_told_with_both_values(browser: Client, mira: User) -> None:
    mira.groups.add(Group.objects.get(name="viewers"))
    operators = Group.objects.get(name="operators")
    form = {"username": "mira", "first_name": "\u202e" + "M" * 100, "groups": [operators.pk]}
    browser.post(f"/admin/accounts/user/{mira.pk}/change/", form)
    assert logged() == [
        f"changed: first_name: none → {'M' * 79}…; is_active: yes → no; "
        "groups given: operators; groups taken: viewers."
    ]


def test_what_was_edited_of_a_group_is_told(browser: Client) -> None:
    group = Group.objects.create(name="painters")
    may_see = Permission.objects.get(codename="view_job")
    form = {"name": "drawers", "permissions": [may_see.pk]}
    browser.post(f"/admin/auth/group/{group.pk}/change/", form)
    assert logged() == [f"changed: name: painters → drawers; permissions given: {may_see}."]


def test_a_second_spelling_of_a_name_is_refused_in_the_form(browser: Client, mira: User) -> None:
    other = User.objects.create_user("other")
    page = browser.post(f"/admin/accounts/user/{other.pk}/change/", {"username": "MIRA"})
    assert "A user with that name already exists." in page.content.decode()


def test_no_part_of_a_hash_is_shown(browser: Client, mira: User) -> None:
    page = browser.get(f"/admin/accounts/user/{mira.pk}/change/").content.decode()
    assert "Set a new password" in page
    assert "bcrypt" not in page
    assert mira.password[-20:] not in page


def test_a_new_password_signs_the_user_out_everywhere(browser: Client, mira: User) -> None:
    pair = sign_ins.begin(mira)
    answer = browser.post(
        f"/admin/accounts/user/{mira.pk}/password/",
        {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )
    assert answer.status_code == 302
    assert User.objects.get(pk=mira.pk).check_password(NEW_PASSWORD)
    with pytest.raises(UnauthenticatedError):
        sign_ins.caller(pair.access)
    assert logged() == ["Changed password."]


def test_deactivating_signs_out_and_is_logged_but_spares_oneself(
    browser: Client, mira: User, root: User
) -> None:
    pair = sign_ins.begin(mira)
    browser.post(
        "/admin/accounts/user/",
        {"action": "deactivate", "_selected_action": [str(mira.pk), str(root.pk)]},
    )
    active = dict(User.objects.values_list("username", "is_active"))
    assert active == {"mira": False, "root": True}
    assert logged() == ["deactivated: active → inactive."]
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(pair.refresh)


def test_taking_the_tick_from_active_signs_out_for_good(browser: Client, mira: User) -> None:
    pair = sign_ins.begin(mira)
    page = f"/admin/accounts/user/{mira.pk}/change/"
    browser.post(page, {"username": "mira", "email": mira.email})
    browser.post(page, {"username": "mira", "email": mira.email, "is_active": "on"})
    assert User.objects.get(pk=mira.pk).is_active
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(pair.refresh)


def _by_the_action(browser: Client, user: User) -> None:
    form = {"action": "deactivate", "_selected_action": [str(user.pk)]}
    browser.post("/admin/accounts/user/", form)


def _by_the_form(browser: Client, user: User) -> None:
    form = {"username": user.username, "is_staff": "on"}
    browser.post(f"/admin/accounts/user/{user.pk}/change/", form)


@pytest.mark.parametrize("shut", [_by_the_action, _by_the_form])
def test_a_browser_stays_signed_out_when_the_account_opens_again(
    browser: Client, viewer: User, shut: Callable[[Client, User], None]
) -> None:
    theirs = browser_of(viewer)
    assert theirs.get("/admin/").status_code == 200
    shut(browser, viewer)
    assert not User.objects.get(pk=viewer.pk).is_active
    User.objects.filter(pk=viewer.pk).update(is_active=True)
    assert theirs.get("/admin/").status_code == 302
    assert browser_of(User.objects.get(pk=viewer.pk)).get("/admin/").status_code == 200


def test_sessions_of_before_the_counter_go_on(mira: User) -> None:
    """Their hash is Django's own until the account is shut for the first time."""
    before = AbstractBaseUser._get_session_auth_hash(mira)  # type: ignore[attr-defined]
    assert mira.get_session_auth_hash() == before
    deactivating.sign_out_everywhere(mira)
    mira.refresh_from_db()
    assert mira.get_session_auth_hash() != before


def test_a_session_outlives_a_new_key_and_no_shut_account(viewer: User, settings: Settings) -> None:
    deactivating.sign_out_everywhere(viewer)
    theirs = browser_of(User.objects.get(pk=viewer.pk))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" * 8
    assert theirs.get("/admin/").status_code == 200
    deactivating.sign_out_everywhere(viewer)
    assert theirs.get("/admin/").status_code == 302


def test_the_groups_of_the_code_are_the_first_choices_of_the_filter(browser: Client) -> None:
    Group.objects.bulk_create(Group(name=f"a-{number:03}") for number in range(60))
    page = browser.get("/admin/accounts/user/")
    [shown] = [spec for spec in page.context["cl"].filter_specs if spec.title == "group"]
    names = [value for value, _ in shown.lookup_choices]
    assert names[:4] == ["operators", "downloaders", "viewers", "a-000"]
    assert len(names) == 3 + 50


def test_a_user_with_keys_and_sign_ins_can_be_deleted(browser: Client, mira: User) -> None:
    keys.make(mira, "renders", ["read"])
    sign_ins.begin(mira)
    answer = browser.post(f"/admin/accounts/user/{mira.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not User.objects.filter(pk=mira.pk).exists()
    assert not ApiKey.objects.exists()


def test_a_viewer_sees_users_without_any_way_to_change_them(viewer: User, mira: User) -> None:
    browser = browser_of(viewer)
    page = browser.get(f"/admin/accounts/user/{mira.pk}/change/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "mira" in text
    assert 'name="_save"' not in text
    assert "Set a new password" not in text
    assert browser.get("/admin/accounts/user/add/").status_code == 403
    refused = browser.post(f"/admin/accounts/user/{mira.pk}/change/", {"username": "x"})
    assert refused.status_code == 403
    password = browser.post(f"/admin/accounts/user/{mira.pk}/password/", {"password1": "x"})
    assert password.status_code == 403


@pytest.fixture
def clerk(db: None) -> User:
    """Staff who may change users and is no superuser."""
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_user", "change_user", "delete_user"])
    )
    return user


def test_nobody_but_a_superuser_hands_out_rights(clerk: User, mira: User) -> None:
    browser_of(clerk).post(
        f"/admin/accounts/user/{mira.pk}/change/",
        {"username": "mira2", "is_superuser": "on", "is_staff": "on"},
    )
    mira.refresh_from_db()
    assert mira.username == "mira2"
    assert (mira.is_superuser, mira.is_staff, mira.is_active) == (False, False, True)


@pytest.mark.parametrize("page", ["change", "password", "delete"])
def test_nobody_but_a_superuser_touches_a_superuser(clerk: User, root: User, page: str) -> None:
    form = {"username": "x", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "post": "yes"}
    answer = browser_of(clerk).post(f"/admin/accounts/user/{root.pk}/{page}/", form)
    assert answer.status_code == 403
    root.refresh_from_db()
    assert root.username == "root"
    assert root.check_password(PASSWORD)


def test_the_built_in_groups_are_shown_and_not_edited(browser: Client) -> None:
    group = Group.objects.get(name="operators")
    assert browser.get(f"/admin/auth/group/{group.pk}/change/").status_code == 200
    answers = [
        browser.post(f"/admin/auth/group/{group.pk}/{page}/", {"name": "x", "post": "yes"})
        for page in ("change", "delete")
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    own = Group.objects.create(name="night shift")
    assert browser.post(f"/admin/auth/group/{own.pk}/change/", {"name": "day"}).status_code == 302


def new_key(**fields: Any) -> dict[str, Any]:
    return {"name": "renders", "scopes": ["read", "jobs"], "expires_at_0": "", **fields}


def test_a_key_is_shown_once_and_never_again(viewer: User) -> None:
    browser = browser_of(viewer)
    page = browser.post("/admin/accounts/apikey/add/", new_key())
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    text = page.context["api_key"].revealed
    assert text in page.content.decode()
    key = keys.verify(text)
    assert (key.owner, key.scopes) == (viewer, ["read", "jobs"])
    secret = text.split("_", 2)[2]
    later = [
        browser.get(path).content.decode()
        for path in ("/admin/accounts/apikey/", f"/admin/accounts/apikey/{key.pk}/change/")
    ]
    assert [secret in body or key.digest in body for body in later] == [False, False]
    assert [key.prefix in body for body in later] == [True, True]
    assert not any(secret in cookie.value for cookie in browser.cookies.values())
    assert logged() == ["made: of: viewer; scopes: read, jobs."]


def test_a_superuser_is_offered_a_key_of_their_own(browser: Client, root: User) -> None:
    page = browser.get("/admin/accounts/apikey/add/")
    assert page.context["adminform"].form.initial["owner"] == root.pk
    assert "_addanother" not in page.content.decode()


def test_staff_cannot_make_a_key_for_somebody_else(viewer: User, root: User) -> None:
    browser_of(viewer).post("/admin/accounts/apikey/add/", new_key(owner=str(root.pk)))
    assert ApiKey.objects.get().owner == viewer


def test_a_superuser_makes_a_key_for_anyone(browser: Client, mira: User) -> None:
    page = browser.post("/admin/accounts/apikey/add/", new_key(owner=str(mira.pk)))
    assert keys.verify(page.context["api_key"].revealed).owner == mira


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"name": ""},
        {"name": "a\x1b[2Jb"},
        {"expires_at_0": "2001-01-01"},
    ],
)
def test_a_wrong_form_makes_no_key(viewer: User, fields: dict[str, Any]) -> None:
    form = new_key(**fields) | {"expires_at_1": "00:00"}
    page = browser_of(viewer).post("/admin/accounts/apikey/add/", form)
    assert page.status_code == 200
    assert not ApiKey.objects.exists()


def test_staff_see_and_revoke_only_their_own_keys(viewer: User, mira: User) -> None:
    own, other = keys.make(viewer, "own", ["read"]), keys.make(mira, "theirs", ["read"])
    browser = browser_of(viewer)
    assert other.prefix not in browser.get("/admin/accounts/apikey/").content.decode()
    assert browser.get(f"/admin/accounts/apikey/{other.pk}/change/").status_code == 302
    browser.post(
        "/admin/accounts/apikey/",
        {"action": "revoke", "_selected_action": [str(own.pk), str(other.pk)]},
    )
    revoked = ApiKey.objects.exclude(revoked_at=None)
    assert [key.name for key in revoked] == ["own"]
    assert len(logged()) == 1


def test_a_key_cannot_be_edited(browser: Client, mira: User) -> None:
    key = keys.make(mira, "renders", ["read"])
    answer = browser.post(f"/admin/accounts/apikey/{key.pk}/change/", new_key(scopes=["admin"]))
    assert answer.status_code == 403
    key.refresh_from_db()
    assert key.scopes == ["read"]


def test_a_sign_in_is_shown_and_revoked_and_nothing_else(browser: Client, mira: User) -> None:
    pair = sign_ins.begin(mira)
    pk = SignIn.objects.get().pk
    assert browser.get(f"/admin/accounts/signin/{pk}/change/").status_code == 200
    assert browser.get("/admin/accounts/signin/add/").status_code == 403
    assert browser.post(f"/admin/accounts/signin/{pk}/delete/").status_code == 403
    browser.post("/admin/accounts/signin/", {"action": "revoke", "_selected_action": [str(pk)]})
    with pytest.raises(UnauthenticatedError):
        sign_ins.caller(pair.access)
    assert logged() == ["revoked: signed in → signed out."]


def test_actions_need_the_csrf_token(root: User, mira: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(root)
    answer = browser.post(
        "/admin/accounts/user/", {"action": "deactivate", "_selected_action": [str(mira.pk)]}
    )
    assert answer.status_code == 403
    assert User.objects.get(pk=mira.pk).is_active
