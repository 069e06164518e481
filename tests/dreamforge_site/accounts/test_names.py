"""What a user may be called: something one can see, and that is nobody else."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import first_admin, names, open_access
from dreamforge_site.accounts.errors import AccountError
from dreamforge_site.accounts.models import User

from .conftest import NEW_PASSWORD, PASSWORD, browser_of


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
