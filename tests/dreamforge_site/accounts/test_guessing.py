"""Guesses at a password are counted, wherever and whenever they are made."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from dreamforge_site.accounts import throttle
from dreamforge_site.accounts.errors import RateLimitedError
from dreamforge_site.accounts.models import AttemptWindow, User

from .conftest import NEW_PASSWORD, PASSWORD, Clock, browser_of


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
