from __future__ import annotations

from dataclasses import replace

import pytest

from dreamforge_site.supervisor.banner import Welcome, text

pytestmark = pytest.mark.pure

FIRST = Welcome(
    url="http://127.0.0.1:8000",
    data_dir="/srv/forge",
    username="admin",
    one_time_password="quiet-river",
    created=True,
    open_access=False,
)


def test_the_first_start_shows_where_to_look_and_the_one_time_password() -> None:
    shown = text(FIRST)
    assert "ready at http://127.0.0.1:8000" in shown
    assert "http://127.0.0.1:8000/admin/" in shown
    assert "http://127.0.0.1:8000/v1/docs" in shown
    assert "admin  password quiet-river  (shown only this once)" in shown


def test_a_chosen_password_is_never_repeated() -> None:
    shown = text(replace(FIRST, one_time_password=None))
    assert "admin  with the password given as DF_ADMIN_PASSWORD" in shown


def test_a_later_start_says_how_to_get_back_in() -> None:
    shown = text(replace(FIRST, one_time_password=None, created=False))
    assert "manage.py changepassword admin" in shown


def test_open_access_is_announced() -> None:
    assert "DF_AUTH=off" in text(replace(FIRST, open_access=True))
    assert "DF_AUTH=off" not in text(FIRST)


def test_a_service_that_is_not_ready_says_why() -> None:
    shown = text(replace(FIRST, not_ready="broker does not answer"))
    assert "is not ready: broker does not answer" in shown
