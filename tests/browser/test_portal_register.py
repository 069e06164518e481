"""Making an account in the portal, where the operator has opened that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import portal
from tests.browser.conftest import SCREENSHOTS, barriers, is_wider_than_its_window, visit
from tests.live import ADMIN, LiveSite, Templates, starting

pytestmark = [pytest.mark.pure, pytest.mark.live]

PASSWORD = "a password of somebody new"
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "dark", "viewport": portal.PHONE},
}


@pytest.fixture(scope="module")
def open_site(live_templates: Templates) -> Iterator[LiveSite]:
    with starting(live_templates) as start:
        yield start(DF_AUTH="on", DF_ALLOW_REGISTRATION="true")


@pytest.fixture
def stranger(browser: Browser, open_site: LiveSite) -> Iterator[Page]:
    """Without the watch over its console: a refusal is an error there, as it must be."""
    context = browser.new_context(base_url=open_site.base_url)
    yield context.new_page()
    context.close()


def make(page: Page, name: str, password: str = PASSWORD) -> None:
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(password)
    page.get_by_role("button", name="Make the account").click()


def test_a_stranger_makes_an_account_and_is_where_they_wanted_to_be(
    browser: Browser, open_site: LiveSite
) -> None:
    with visit(browser, open_site.base_url) as page:
        page.goto("/app/images")
        page.get_by_role("link", name="Make an account").click()
        make(page, "newcomer")
        expect(page).to_have_url(re.compile(r"/app/images$"))
        expect(page.get_by_role("link", name="Account of newcomer")).to_be_visible()


def test_what_is_wrong_with_a_field_is_said_at_the_field(stranger: Page) -> None:
    stranger.goto("/app/register")
    make(stranger, "", "")
    expect(stranger.locator("#why-username")).to_be_visible()
    expect(stranger.locator("#why-password")).to_be_visible()
    make(stranger, "new/comer", PASSWORD)
    expect(stranger.locator("#why-username")).to_contain_text("valid username")
    expect(stranger.locator("#why-password")).to_have_count(0)
    expect(stranger.locator("[name=username]")).to_be_focused()
    make(stranger, "newcomer2", "short")
    expect(stranger.locator("#why-password")).to_contain_text("too short")
    expect(stranger.locator("#why-username")).to_have_count(0)
    make(stranger, ADMIN[0])
    expect(stranger.locator("#why-username")).to_contain_text("taken")


def test_why_a_field_was_refused_describes_it_and_is_no_part_of_its_name(stranger: Page) -> None:
    stranger.goto("/app/register")
    make(stranger, "newcomer5", "")
    password = stranger.locator("[name=password]")
    expect(password).to_have_accessible_name("Password")
    expect(password).to_have_accessible_description("Please fill out this field.")
    expect(password).to_have_attribute("aria-invalid", "true")
    make(stranger, "", PASSWORD)
    expect(password).to_have_accessible_description("")
    expect(password).not_to_have_attribute("aria-invalid", "true")


def test_too_many_attempts_are_told_kindly(stranger: Page) -> None:
    """As the service says it to the eleventh of an hour."""
    told = {"code": "rate_limited", "message": "Too many.", "details": {}, "correlation_id": "1"}
    stranger.route(
        "**/v1/auth/register",
        lambda route: route.fulfill(status=429, json=told, headers={"Retry-After": "1800"}),
    )
    stranger.goto("/app/register")
    make(stranger, "newcomer3")
    expect(stranger.get_by_role("alert")).to_contain_text("Please try again in 30 min")
    expect(stranger.get_by_role("button", name="Make the account")).to_be_enabled()


def test_the_service_limits_how_many_are_made_from_one_place(
    browser: Browser, live_templates: Templates
) -> None:
    with starting(live_templates) as start:
        site = start(DF_AUTH="on", DF_ALLOW_REGISTRATION="true")
        context = browser.new_context(base_url=site.base_url)
        page = context.new_page()
        page.goto("/app/register")
        answers = [_refused(page, f"newcomer-{number}") for number in range(11)]
        assert answers == [422] * 10 + [429]
        expect(page.get_by_role("alert")).to_contain_text("Please try again in")
        context.close()


def _refused(page: Page, name: str) -> int:
    with page.expect_response("**/v1/auth/register") as answer:
        make(page, name, "short")
    expect(page.get_by_role("button", name="Make the account")).to_be_enabled()
    return int(answer.value.status)


def test_a_service_that_is_away_is_told_and_nothing_is_sent_twice(stranger: Page) -> None:
    sent: list[str] = []
    stranger.goto("/app/register")

    def lose(route: Route) -> None:
        sent.append("once")
        route.abort()

    stranger.route("**/v1/auth/register", lose)
    make(stranger, "newcomer4")
    expect(stranger.get_by_role("alert")).to_contain_text("cannot be reached")
    assert sent == ["once"]


def test_a_password_is_shown_on_request(stranger: Page) -> None:
    stranger.goto("/app/register")
    password = stranger.get_by_label("Password", exact=True)
    expect(password).to_have_attribute("type", "password")
    stranger.get_by_label("Show the password").check()
    expect(password).to_have_attribute("type", "text")


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_is_whole_for_everybody(browser: Browser, open_site: LiveSite, view: str) -> None:
    with visit(browser, open_site.base_url, **VIEWS[view]) as page:
        page.goto("/app/register")
        page.screenshot(path=SCREENSHOTS / f"portal-register-{view}.png")
        found = [*barriers(page), is_wider_than_its_window(page), portal.too_small(page)]
    assert found == [False, []]
