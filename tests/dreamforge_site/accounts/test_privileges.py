"""Ways up that must stay shut: from staff to superuser, from a key or the open mode to more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import (
    clock,
    first_admin,
    keys,
    names,
    open_access,
    sign_ins,
    throttle,
)
from dreamforge_site.accounts.errors import AccountError, RateLimitedError, UnauthenticatedError
from dreamforge_site.accounts.models import ApiKey, AttemptWindow, User

from .conftest import PASSWORD, Clock

NEW_PASSWORD = "another horse battery"
PERMISSIONS = ("view", "add", "change", "delete")


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def staff(name: str, *codenames: str) -> User:
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def clerk(db: None) -> User:
    """Staff who may do anything to users and groups, and is no superuser."""
    kinds = [f"{verb}_{model}" for verb in PERMISSIONS for model in ("user", "group")]
    return staff("clerk", *kinds)


def every_permission() -> list[str]:
    return [str(pk) for pk in Permission.objects.values_list("pk", flat=True)]


# Groups


def test_nobody_but_a_superuser_widens_a_group(clerk: User) -> None:
    own = Group.objects.create(name="night shift")
    clerk.groups.add(own)
    form = {"name": "night shift", "permissions": every_permission()}
    answer = browser_of(clerk).post(f"/admin/auth/group/{own.pk}/change/", form)
    assert answer.status_code == 403
    assert not own.permissions.exists()


def test_nobody_but_a_superuser_makes_or_deletes_a_group(clerk: User) -> None:
    own = Group.objects.create(name="night shift")
    browser = browser_of(clerk)
    add = browser.post("/admin/auth/group/add/", {"name": "day shift"})
    delete = browser.post(f"/admin/auth/group/{own.pk}/delete/", {"post": "yes"})
    browser.post(
        "/admin/auth/group/",
        {"action": "delete_selected", "_selected_action": [str(own.pk)], "post": "yes"},
    )
    assert (add.status_code, delete.status_code) == (403, 403)
    assert Group.objects.filter(name="night shift").exists()
    assert not Group.objects.filter(name="day shift").exists()


def test_groups_are_still_shown_to_who_may_see_them(clerk: User) -> None:
    own = Group.objects.create(name="night shift")
    browser = browser_of(clerk)
    assert "night shift" in browser.get("/admin/auth/group/").content.decode()
    page = browser.get(f"/admin/auth/group/{own.pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()


# Users


def other_staff() -> User:
    return staff("operator")


def holder_of_more() -> User:
    user = User.objects.create_user("maker", password=PASSWORD)
    user.groups.add(Group.objects.get(name="operators"))
    return user


def resting_holder_of_more() -> User:
    """Deactivated: a password set today opens the account on the day it comes back."""
    user = holder_of_more()
    User.objects.filter(pk=user.pk).update(is_active=False)
    return user


def everybody_here() -> User:
    """The user of DF_AUTH=off, whom somebody has taken every right from."""
    user = open_access.user()
    user.groups.clear()
    User.objects.filter(pk=user.pk).update(is_staff=False)
    return user


ABOVE_A_CLERK = pytest.mark.parametrize(
    "make", [other_staff, holder_of_more, resting_holder_of_more, everybody_here]
)


@ABOVE_A_CLERK
@pytest.mark.parametrize("page", ["change", "password", "delete"])
def test_staff_touch_nobody_who_may_do_more(clerk: User, make: Any, page: str) -> None:
    user = make()
    before = User.objects.values("username", "password").get(pk=user.pk)
    form = {"username": "x", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "post": "yes"}
    form["usable_password"] = "true"
    answer = browser_of(clerk).post(f"/admin/accounts/user/{user.pk}/{page}/", form)
    assert answer.status_code == 403
    assert User.objects.values("username", "password").get(pk=user.pk) == before


@ABOVE_A_CLERK
@pytest.mark.parametrize("action", ["deactivate", "delete_selected"])
def test_no_action_reaches_who_may_do_more(clerk: User, make: Any, action: str) -> None:
    user = make()
    before = User.objects.values("is_active").get(pk=user.pk)
    browser_of(clerk).post(
        "/admin/accounts/user/",
        {"action": action, "_selected_action": [str(user.pk)], "post": "yes"},
    )
    assert User.objects.values("is_active").get(pk=user.pk) == before


def test_staff_still_look_after_who_may_do_less(clerk: User, mira: User) -> None:
    browser = browser_of(clerk)
    form = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert browser.post(f"/admin/accounts/user/{mira.pk}/password/", form).status_code == 302
    assert User.objects.get(pk=mira.pk).check_password(NEW_PASSWORD)
    browser.post(
        "/admin/accounts/user/", {"action": "deactivate", "_selected_action": [str(mira.pk)]}
    )
    assert not User.objects.get(pk=mira.pk).is_active
    deleted = browser.post(f"/admin/accounts/user/{mira.pk}/delete/", {"post": "yes"})
    assert deleted.status_code == 302
    assert not User.objects.filter(pk=mira.pk).exists()


def test_staff_do_not_change_themselves_past_their_own_password(clerk: User) -> None:
    form = {"username": "clerk2"}
    answer = browser_of(clerk).post(f"/admin/accounts/user/{clerk.pk}/change/", form)
    assert answer.status_code == 403


def test_a_superuser_still_changes_staff(root: User) -> None:
    user = other_staff()
    form = {"username": "renamed", "is_staff": "on", "is_active": "on"}
    answer = browser_of(root).post(f"/admin/accounts/user/{user.pk}/change/", form)
    assert answer.status_code == 302
    assert User.objects.get(pk=user.pk).username == "renamed"


# Names


def new_user(username: str) -> dict[str, str]:
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    return {"username": username, "usable_password": "true", **passwords}


REFUSED_NAMES = pytest.mark.parametrize(
    "username",
    [
        "..",
        ".",
        "_",
        "@+-",
        "\uff0e\uff0e",  # full width, which becomes ..
        "\u3164",  # letters by Unicode's table, and nothing to see
        "mira\u3164",
        "mira\u115f",
        "mira\uffa0",
        "mira\u200b",
        "mira\u00ad",
        "mira\u202eb",
        "mi\u0007ra",
    ],
)


@REFUSED_NAMES
def test_a_name_that_is_a_path_or_cannot_be_seen_is_not_registered(
    client: APIClient, settings: Settings, db: None, username: str
) -> None:
    settings.ALLOW_REGISTRATION = True
    answer = client.post("/v1/auth/register", {"username": username, "password": PASSWORD})
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == ["username"]
    assert not User.objects.exists()


@REFUSED_NAMES
def test_a_name_that_is_a_path_or_cannot_be_seen_is_not_made_in_the_admin(
    root: User, username: str
) -> None:
    page = browser_of(root).post("/admin/accounts/user/add/", new_user(username))
    assert page.status_code == 200
    assert "username" in page.context["adminform"].form.errors
    assert User.objects.count() == 1


@pytest.mark.pure
@pytest.mark.parametrize(
    "username", ["mira", "42", "\u043c\u0438\u0440\u0430", "\u7f8e.\u6c34", "m_"]
)
def test_a_name_in_any_script_is_a_name(username: str) -> None:
    names.usable(username)


@pytest.mark.pure
def test_the_reason_names_what_is_missing() -> None:
    with pytest.raises(ValidationError, match="letter or digit"):
        names.usable("..")
    with pytest.raises(ValidationError, match="nobody can see"):
        names.usable("mira\u3164")


@pytest.mark.parametrize("username", ["mira", "MIRA", "\uff4dira", "", "new/comer"])
def test_a_name_that_is_taken_or_wrong_is_an_error_in_the_form(
    root: User, mira: User, username: str
) -> None:
    page = browser_of(root).post("/admin/accounts/user/add/", new_user(username))
    assert page.status_code == 200
    assert len(page.context["adminform"].form.errors["username"]) == 1
    assert User.objects.count() == 2


@pytest.mark.parametrize("username", ["default", "DEFAULT", "\uff44efault"])
def test_nobody_is_given_the_name_of_the_open_mode(
    clerk: User, root: User, mira: User, username: str
) -> None:
    made = [
        browser_of(u).post("/admin/accounts/user/add/", new_user(username)) for u in (clerk, root)
    ]
    renamed = browser_of(root).post(
        f"/admin/accounts/user/{mira.pk}/change/", {"username": username, "is_active": "on"}
    )
    assert [page.status_code for page in (*made, renamed)] == [200, 200, 200]
    assert not User.objects.filter(name_key=open_access.NAME).exists()


def test_the_user_of_the_open_mode_itself_can_be_edited_by_a_superuser(root: User) -> None:
    user = open_access.user()
    form = {"username": "default", "email": "d@example.org", "is_active": "on", "is_staff": "on"}
    answer = browser_of(root).post(f"/admin/accounts/user/{user.pk}/change/", form)
    assert answer.status_code == 302
    assert User.objects.get(pk=user.pk).email == "d@example.org"


@pytest.mark.parametrize("username", ["default", ".."])
def test_the_first_administrator_has_a_name_that_can_sign_in(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, db: None, username: str
) -> None:
    given = settings.ENVIRONMENT.model_copy(update={"admin_user": username})
    settings.ENVIRONMENT = given
    with pytest.raises(AccountError, match="DF_ADMIN_USER"):
        first_admin.ensure()
    assert not User.objects.exists()


# The open mode


@pytest.fixture
def open_mode(settings: Settings, db: None) -> Settings:
    settings.AUTH_REQUIRED = False
    return settings


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
@pytest.mark.parametrize("value", ["192.0.2.1", "127.0.0.1", ""])
def test_the_open_mode_serves_nobody_through_a_proxy(
    client: APIClient, open_mode: Settings, header: str, value: str
) -> None:
    answer = client.get("/v1/auth/me", headers={header: value})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "proxy" in answer.json()["message"]
    assert not User.objects.exists()


def test_with_credentials_a_proxy_is_welcome(
    client: APIClient, open_mode: Settings, mira: User
) -> None:
    key = keys.make(mira, "renders", ["read"]).revealed
    headers = {"X-API-Key": key, "X-Forwarded-For": "192.0.2.1"}
    assert client.get("/v1/auth/me", headers=headers).status_code == 200


def test_the_open_mode_makes_no_keys(client: APIClient, open_mode: Settings) -> None:
    answer = client.post("/v1/auth/keys", {"name": "keep", "scopes": ["read"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "DF_AUTH=off" in answer.json()["message"]
    assert not ApiKey.objects.exists()


def test_what_the_open_user_holds_ends_with_the_open_mode(
    client: APIClient, open_mode: Settings
) -> None:
    user = open_access.user()
    user.set_password(PASSWORD)
    user.save()
    key, pair = keys.make(user, "keep", ["read"]).revealed, sign_ins.begin(user)
    browser = browser_of(user)
    assert keys.verify(key).owner == sign_ins.caller(pair.access) == user
    assert browser.get("/admin/").status_code == 200
    open_mode.AUTH_REQUIRED = True
    with pytest.raises(UnauthenticatedError, match="DF_AUTH=off"):
        keys.verify(key)
    with pytest.raises(UnauthenticatedError):
        sign_ins.caller(pair.access)
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(pair.refresh)
    login = client.post("/v1/auth/login", {"username": "default", "password": PASSWORD})
    assert (login.status_code, browser.get("/admin/").status_code) == (401, 302)


# Keys that make keys


def child_of(parent: ApiKey, **fields: Any) -> Any:
    caller = APIClient(headers={"X-API-Key": parent.revealed})
    return caller.post("/v1/auth/keys", {"name": "child", "scopes": ["admin"], **fields})


def test_a_key_that_ends_makes_none_that_outlives_it(mira: User, fixed_clock: Clock) -> None:
    end = fixed_clock.moment + timedelta(hours=1)
    parent = keys.make(mira, "parent", ["admin"], end)
    later = clock.written(end + timedelta(seconds=1))
    refused = child_of(parent, expires_at=later)
    assert refused.status_code == 422
    assert list(refused.json()["details"]["fields"]) == ["expires_at"]
    assert str(clock.written(end)) in refused.json()["message"]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("fields", [{}, {"expires_at": None}])
def test_a_key_made_without_an_end_takes_its_makers(
    mira: User, fixed_clock: Clock, fields: dict[str, None]
) -> None:
    end = fixed_clock.moment + timedelta(hours=1)
    made = child_of(keys.make(mira, "parent", ["admin"], end), **fields)
    assert made.status_code == 201
    assert ApiKey.objects.get(name="child").expires_at == end
    assert made.json()["expires_at"] == clock.written(end)


def test_a_key_may_end_before_its_maker_and_an_endless_one_binds_nobody(
    mira: User, fixed_clock: Clock
) -> None:
    end = fixed_clock.moment + timedelta(hours=1)
    sooner = clock.written(end - timedelta(minutes=1))
    ending, endless = keys.make(mira, "a", ["admin"], end), keys.make(mira, "b", ["admin"])
    answers = [child_of(ending, expires_at=sooner), child_of(endless)]
    assert [answer.json()["expires_at"] for answer in answers] == [sooner, None]


# Lookups


@pytest.mark.parametrize("query", ["pk__regex=%5E(a%2B)%2B%24", "pk__iregex=a", "pk__regex__in=a"])
def test_no_list_of_the_admin_takes_a_pattern(root: User, query: str) -> None:
    browser = browser_of(root)
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    answers = {path: browser.get(f"{path}?{query}").status_code for path in lists}
    assert len(answers) >= 4
    assert answers == dict.fromkeys(lists, 400)


def test_other_lookups_still_work(root: User, mira: User) -> None:
    page = browser_of(root).get("/admin/accounts/user/?username__startswith=mi")
    assert [user.username for user in page.context["cl"].result_list] == ["mira"]


# Guessing


def test_a_window_from_a_clock_that_was_ahead_is_over(db: None, fixed_clock: Clock) -> None:
    subjects = throttle.sign_in("mira", None)
    fixed_clock.forward(days=365)
    for _ in range(10):
        throttle.admit(subjects)
    fixed_clock.forward(days=-365)
    throttle.admit(subjects)
    window = AttemptWindow.objects.get()
    assert window.attempts == 1
    assert window.ends_at == fixed_clock.moment + subjects[0].limit.window


def test_a_request_that_waited_its_turn_does_not_reset_the_window(
    db: None, fixed_clock: Clock
) -> None:
    subjects = throttle.sign_in("mira", None)
    for _ in range(10):
        throttle.admit(subjects)
    fixed_clock.forward(seconds=-5)
    with pytest.raises(RateLimitedError):
        throttle.admit(subjects)


def change_password(browser: Client, old: str) -> Any:
    passwords = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    return browser.post("/admin/password_change/", {"old_password": old, **passwords})


def test_ones_old_password_is_not_guessed_in_the_admin(root: User, fixed_clock: Clock) -> None:
    browser = browser_of(root)
    wrong = [change_password(browser, "wrong").content.decode() for _ in range(10)]
    limited = change_password(browser, PASSWORD)
    assert "Your old password was entered incorrectly" in wrong[-1]
    assert "Too many attempts; try again in 300 seconds." in limited.content.decode()
    assert User.objects.get().check_password(PASSWORD)
    fixed_clock.forward(minutes=5)
    assert change_password(browser, PASSWORD).status_code == 302
    assert User.objects.get().check_password(NEW_PASSWORD)


def test_guesses_at_the_old_password_count_as_sign_ins(
    client: APIClient, root: User, fixed_clock: Clock
) -> None:
    browser = browser_of(root)
    [change_password(browser, "wrong") for _ in range(10)]
    login = client.post("/v1/auth/login", {"username": "root", "password": PASSWORD})
    assert login.status_code == 429


def test_the_right_old_password_is_never_too_many(root: User, fixed_clock: Clock) -> None:
    browser = browser_of(root)
    form = {"old_password": PASSWORD, "new_password1": "x", "new_password2": "y"}
    [browser.post("/admin/password_change/", form) for _ in range(12)]
    assert change_password(browser, PASSWORD).status_code == 302
