"""Ways up that must stay shut: from staff to superuser, by groups, users and lists of the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from dreamforge_site.accounts import open_access
from dreamforge_site.accounts.models import User

from .conftest import NEW_PASSWORD, PASSWORD, browser_of, staff


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
