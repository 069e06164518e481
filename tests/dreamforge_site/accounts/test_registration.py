from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import registration
from dreamforge_site.accounts.errors import NameTakenError
from dreamforge_site.accounts.models import User

from . import parallel
from .conftest import PASSWORD, Clock


@pytest.fixture
def open_doors(settings: Settings, db: None) -> None:
    settings.ALLOW_REGISTRATION = True


def register(client: APIClient, username: str, password: str = PASSWORD) -> Any:
    return client.post("/v1/auth/register", {"username": username, "password": password})


def test_registration_is_closed_unless_opened(client: APIClient, db: None) -> None:
    answer = register(client, "newcomer")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not User.objects.exists()


def test_a_registered_user_can_sign_in_and_may_do_nothing_special(
    client: APIClient, open_doors: None
) -> None:
    answer = register(client, "newcomer")
    user = User.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"id": str(user.pk), "username": "newcomer"}
    assert not user.get_all_permissions()
    assert (user.is_staff, user.is_superuser) == (False, False)
    login = client.post("/v1/auth/login", {"username": "newcomer", "password": PASSWORD})
    assert login.status_code == 200


@pytest.mark.parametrize("spelling", ["mira", "MIRA", "\uff4dira", "default", "Default"])
def test_a_taken_name_is_a_conflict_in_any_spelling(
    client: APIClient, open_doors: None, mira: User, spelling: str
) -> None:
    answer = register(client, spelling)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [
        ("newcomer", "short", "password"),
        ("newcomer", "1234567890123", "password"),
        ("newcomer", "password1", "password"),
        ("newcomer", "newcomer1", "password"),
        ("newcomer", "x" * 4097, "password"),
        ("new comer", PASSWORD, "username"),
        ("new/comer", PASSWORD, "username"),
        ("x" * 151, PASSWORD, "username"),
        ("\ufdfa" * 20, PASSWORD, "username"),
        ("", PASSWORD, "username"),
    ],
)
def test_a_bad_name_or_password_names_its_field(
    client: APIClient, open_doors: None, username: str, password: str, field: str
) -> None:
    answer = register(client, username, password)
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == [field]
    assert not User.objects.exists()


def test_nobody_registers_rights(client: APIClient, open_doors: None) -> None:
    body = {"username": "newcomer", "password": PASSWORD, "is_staff": True}
    answer = client.post("/v1/auth/register", body)
    assert list(answer.json()["details"]["fields"]) == ["is_staff"]
    assert not User.objects.exists()


def test_an_address_registers_ten_times_an_hour(
    client: APIClient, open_doors: None, fixed_clock: Clock
) -> None:
    answers = [register(client, f"newcomer{number}", "short") for number in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert int(answers[-1]["Retry-After"]) == 3600
    fixed_clock.forward(hours=1)
    assert register(client, "newcomer").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_racing_registrations_one_gets_the_name(settings: Settings) -> None:
    settings.ALLOW_REGISTRATION = True
    results = parallel.run(lambda: registration.register("Racer", PASSWORD, "192.0.2.1"), times=6)
    kinds = sorted(type(result).__name__ for result in results)
    assert kinds == [NameTakenError.__name__] * 5 + ["User"]
    assert User.objects.count() == 1
