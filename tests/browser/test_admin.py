"""The admin as its staff sees it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Screenshot
from tests.live import ADMIN


def test_staff_sign_in_and_land_on_the_index(signed_in: Page, screenshot: Screenshot) -> None:
    expect(signed_in.get_by_role("link", name="Users").first).to_be_visible()
    picture = screenshot(signed_in, "admin-index")
    assert picture.stat().st_size > 0


def test_sign_in_page_stands_alone(page: Page, screenshot: Screenshot) -> None:
    page.goto("/admin/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    screenshot(page, "admin-login")


def test_wrong_password_is_told_on_the_sign_in_page(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill(ADMIN[0])
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
