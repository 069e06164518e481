"""The settings page of the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from dreamforge_site.environment import Environment
from dreamforge_site.settings_page import facts
from tests.callers import staff

pytestmark = pytest.mark.django_db

PAGE = "/admin/settings/"
CANARY = "hf_a_token_that_nobody_may_see"


@pytest.fixture
def with_secrets(settings: Settings) -> None:
    settings.ENVIRONMENT = Environment(
        hf_token=CANARY, database_url=f"postgres://user:{CANARY}@127.0.0.1/forge"
    )
    settings.DOWNLOAD_SOURCE_SETTINGS = {
        **settings.DOWNLOAD_SOURCE_SETTINGS,
        "hf": {"endpoint": "http://127.0.0.1:1", "token": CANARY},
    }


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.usefixtures("with_secrets")
def test_secrets_are_shown_as_set_or_unset() -> None:
    page = text(staff("somebody", "operators").get(PAGE))
    assert CANARY not in page
    assert "HF_TOKEN" in page
    assert "CIVITAI_TOKEN" in page
    assert "unset" in page


def test_every_variable_is_there_with_what_it_does() -> None:
    page = text(staff("somebody", "viewers").get(PAGE))
    names = [row.name for section in facts.variables() for row in section.rows]
    assert len(names) == len(Environment.model_fields)
    assert [name for name in names if name not in page] == []


@pytest.mark.usefixtures("with_secrets")
def test_a_viewer_sees_and_an_operator_checks() -> None:
    viewer = staff("somebody", "viewers")
    assert "Check now" not in text(viewer.get(PAGE))
    assert viewer.post(PAGE, {"source": "hf"}).status_code == 403


@pytest.mark.usefixtures("with_secrets")
def test_a_check_that_fails_is_told_without_the_token() -> None:
    operator = staff("somebody", "operators")
    assert "Check now" in text(operator.get(PAGE))
    page = text(operator.post(PAGE, {"source": "hf"}, follow=True))
    assert "never worked" in page
    assert CANARY not in page
    assert operator.post(PAGE, {"source": "../../etc"}).status_code == 404


def test_who_is_not_staff_is_sent_to_sign_in() -> None:
    browser = Client()
    browser.force_login(User.objects.create_user("mira"))
    assert browser.get(PAGE).status_code == 302


def test_the_page_costs_few_queries(django_assert_max_num_queries: Any) -> None:
    browser = staff("somebody", "operators")
    with django_assert_max_num_queries(12):
        browser.get(PAGE)
