"""Turning the pages of a long list, as an operator with a keyboard or a phone does."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Screenshot, barriers, is_wider_than_its_window, sign_in, visit
from tests.browser.seeding import OPERATOR
from tests.live import LiveSite

JOBS = "/admin/jobs/job/"
PHONE = {"width": 390, "height": 844}
SMALLEST_TARGET = 24  # CSS pixels, WCAG 2.2


def pages_of(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Pages of the list")


def shown(page: Page) -> list[str]:
    links: list[str] = page.locator("#result_list a[href*='/change/']").evaluate_all(
        "links => links.map(link => link.pathname)"
    )
    return links


def turn(page: Page, label: str) -> list[str]:
    """By keyboard alone."""
    pages_of(page).get_by_role("link", name=label, exact=True).focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    return shown(page)


def test_pages_are_turned_on_and_back_by_keyboard(operator: Page) -> None:
    operator.goto(JOBS)
    newest = shown(operator)
    older = turn(operator, "Older")
    assert len(newest) == len(older) == 50
    assert set(newest).isdisjoint(older)
    assert turn(operator, "Newer") == newest
    oldest = turn(operator, "Oldest")
    assert set(newest).isdisjoint(oldest)
    assert turn(operator, "Newest") == newest


def test_an_end_of_the_list_leads_nowhere_and_says_so(operator: Page) -> None:
    operator.goto(JOBS)
    newer = pages_of(operator).get_by_role("link", name="Newer")
    expect(newer).to_have_attribute("aria-disabled", "true")
    assert newer.get_attribute("href") is None


def test_a_page_is_come_back_to_from_a_job(operator: Page) -> None:
    operator.goto(JOBS)
    older = turn(operator, "Older")
    operator.locator("#result_list a[href*='/change/']").first.click()
    operator.go_back()
    assert shown(operator) == older


def test_pages_are_turned_on_a_phone(
    browser: Browser, busy_site: LiveSite, screenshot: Screenshot
) -> None:
    with visit(browser, busy_site.base_url, viewport=PHONE, has_touch=True) as page:
        sign_in(page, OPERATOR, JOBS)
        page.goto(JOBS)
        newest = shown(page)
        older = pages_of(page).get_by_role("link", name="Older")
        box = older.bounding_box()
        assert box is not None
        assert box["height"] >= SMALLEST_TARGET
        screenshot(page, "long-list-phone")
        with page.expect_navigation():
            older.tap()
        assert set(newest).isdisjoint(shown(page))
        assert not is_wider_than_its_window(page)
        assert barriers(page) == []
