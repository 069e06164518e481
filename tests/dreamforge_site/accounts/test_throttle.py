from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import connection
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from dreamforge_site.accounts import throttle
from dreamforge_site.accounts.errors import RateLimitedError
from dreamforge_site.accounts.models import AttemptWindow, User

from . import parallel
from .conftest import PASSWORD, Clock

WRONG = "not the password"


def login(client: APIClient, username: str, password: str = WRONG, address: str = "") -> Any:
    return client.post(
        "/v1/auth/login",
        {"username": username, "password": password},
        REMOTE_ADDR=address or "192.0.2.1",
    )


def statuses(answers: list[Any]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_an_address_gets_ten_wrong_logins(client: APIClient, db: None, fixed_clock: Clock) -> None:
    answers = [login(client, f"user{number}") for number in range(12)]
    assert statuses(answers) == [401] * 10 + [429] * 2
    assert answers[-1].json()["code"] == "rate_limited"
    assert int(answers[-1]["Retry-After"]) == 300


def test_a_name_gets_ten_wrong_logins_from_wherever(
    client: APIClient, mira: User, fixed_clock: Clock
) -> None:
    spellings = ("mira", "MIRA", "\uff4dira")
    answers = [
        login(client, spellings[number % 3], address=f"198.51.100.{number}") for number in range(12)
    ]
    assert statuses(answers) == [401] * 10 + [429] * 2
    other_name = login(client, "other", address="198.51.100.99")
    assert other_name.status_code == 401


def test_an_unknown_name_is_throttled_like_a_known_one(
    client: APIClient, db: None, fixed_clock: Clock
) -> None:
    answers = [login(client, "nobody", address=f"198.51.100.{n}") for n in range(11)]
    assert statuses(answers) == [401] * 10 + [429]


def test_the_right_password_works_again_after_the_window(
    client: APIClient, mira: User, fixed_clock: Clock
) -> None:
    refused = [login(client, "mira") for _ in range(11)][-1]
    assert login(client, "mira", PASSWORD).status_code == 429
    fixed_clock.forward(seconds=int(refused["Retry-After"]))
    assert login(client, "mira", PASSWORD).status_code == 200


def test_a_refused_guess_is_not_hashed(
    client: APIClient, mira: User, fixed_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    [login(client, "mira") for _ in range(10)]
    monkeypatch.delattr("bcrypt.hashpw")
    assert login(client, "mira").status_code == 429


def test_ones_own_success_wins_no_guesses_at_others(
    client: APIClient, mira: User, fixed_clock: Clock
) -> None:
    answers = []
    for number in range(12):
        answers.append(login(client, "mira", PASSWORD))
        answers.append(login(client, f"victim{number}"))
    assert statuses(answers)[:20] == [200, 401] * 10
    assert statuses(answers)[20:] == [429] * 4


def test_right_passwords_are_never_too_many(
    client: APIClient, mira: User, fixed_clock: Clock
) -> None:
    assert statuses([login(client, "mira", PASSWORD) for _ in range(15)]) == [200] * 15


@pytest.mark.pure
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "not an address"),
    ],
)
def test_addresses_of_one_household_count_together(one: str, other: str) -> None:
    assert throttle.network(one) == throttle.network(other)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("one", "other"), [("2001:db8:1:2::1", "2001:db8:1:3::1"), ("192.0.2.1", "192.0.2.2")]
)
def test_addresses_of_two_households_count_apart(one: str, other: str) -> None:
    assert throttle.network(one) != throttle.network(other)


def test_a_forwarded_address_of_the_clients_own_making_counts_for_nothing(
    client: APIClient, db: None, fixed_clock: Clock
) -> None:
    answers = [
        client.post(
            "/v1/auth/login",
            {"username": f"user{number}", "password": "wrong"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        )
        for number in range(11)
    ]
    assert statuses(answers) == [401] * 10 + [429]


def test_the_admins_form_is_throttled_and_says_so(root: User, fixed_clock: Clock) -> None:
    browser = Client()
    form = {"username": "root", "password": "wrong"}
    first, *_ = [browser.post("/admin/login/", form) for _ in range(11)]
    assert "Please enter the correct username" in first.content.decode()
    limited = browser.post("/admin/login/", {**form, "password": PASSWORD})
    assert "Too many attempts; try again in 300 seconds." in limited.content.decode()
    fixed_clock.forward(minutes=5)
    assert browser.post("/admin/login/", {**form, "password": PASSWORD}).status_code == 302


def test_the_form_and_the_api_share_their_windows(
    client: APIClient, root: User, fixed_clock: Clock
) -> None:
    form = {"username": "root", "password": "wrong"}
    [Client().post("/admin/login/", form, REMOTE_ADDR=f"198.51.100.{n}") for n in range(10)]
    assert login(client, "root", PASSWORD).status_code == 429


def test_the_windows_do_not_tell_who_was_tried(client: APIClient, db: None) -> None:
    login(client, "a-password-in-the-wrong-field")
    assert AttemptWindow.objects.count() == 2
    rows = str(list(AttemptWindow.objects.values()))
    assert "a-password" not in rows
    assert "192.0.2.1" not in rows


def test_purge_removes_windows_that_are_over(
    client: APIClient, db: None, fixed_clock: Clock
) -> None:
    login(client, "early")
    fixed_clock.forward(minutes=4)
    login(client, "late", address="192.0.2.2")
    fixed_clock.forward(minutes=2)
    assert throttle.purge() == 2
    assert AttemptWindow.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_do_not_slip_past_the_limit() -> None:
    request = RequestFactory().post("/v1/auth/login", REMOTE_ADDR="192.0.2.1")

    def guess() -> object:
        return authenticate(request, username="racer", password="wrong")

    results = parallel.run(guess, times=24)
    assert results.count(None) == 10
    assert [type(result) for result in results].count(RateLimitedError) == 14


@pytest.mark.django_db(transaction=True)
def test_purging_while_attempts_come_in_breaks_nothing(fixed_clock: Clock) -> None:
    subjects = throttle.sign_in("racer", "192.0.2.1")

    def attempt() -> str:
        fixed_clock.forward(minutes=6)
        throttle.purge()
        throttle.admit(subjects)
        throttle.give_back(subjects)
        return "done"

    assert parallel.run(attempt, times=8) == ["done"] * 8


@pytest.mark.django_db(transaction=True)
def test_parallel_right_sign_ins_give_every_place_back() -> None:
    subjects = [throttle.sign_in(f"racer{number}", "192.0.2.1") for number in range(12)]

    def sign_in() -> str:
        for attempt in subjects:
            throttle.admit(attempt)
            throttle.give_back(attempt)
        return "done"

    assert parallel.run(sign_in, times=8) == ["done"] * 8
    assert set(AttemptWindow.objects.values_list("attempts", flat=True)) == {0}


ELSEWHERE = """
import django
django.setup()
from dreamforge_site.accounts import throttle
from dreamforge_site.accounts.errors import RateLimitedError
try:
    throttle.admit(throttle.sign_in("mira", "192.0.2.1"))
except RateLimitedError:
    print("refused")
"""


def database_url() -> str:
    """The test database, for a process of its own."""
    entry = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{entry['NAME']}"
    login = f"{entry['USER']}:{entry['PASSWORD']}"
    return f"postgresql://{login}@{entry['HOST']}:{entry['PORT']}/{entry['NAME']}"


@pytest.mark.django_db(transaction=True)
def test_another_process_knows_what_this_one_counted() -> None:
    for _ in range(10):
        throttle.admit(throttle.sign_in("mira", "192.0.2.1"))
    environment = {
        **os.environ,
        "DF_DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "dreamforge_site.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "refused"
