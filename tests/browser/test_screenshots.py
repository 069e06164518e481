"""Every page in every light: it shows nothing wider than its window, bars nobody from using it,
runs nothing that was written into it, and leaves a picture for people to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import pytest
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, expect

from tests.browser.conftest import (
    SCREENSHOTS,
    WINDOW,
    barriers,
    is_wider_than_its_window,
    sign_in,
    visit,
)
from tests.browser.pages import PAGES, Shown
from tests.live import LiveSite

PHONE: ViewportSize = {"width": 390, "height": 844}
# `make screenshots` looks at the dark too; nearly every fault shows without it.
ALL_VIEWS = bool(os.environ.get("DREAMFORGE_TEST_ALL_VIEWS"))
SignedIn = Callable[[tuple[str, str] | None], StorageState | None]


@pytest.fixture(scope="module")
def signed_in_as(browser: Browser, busy_site: LiveSite) -> SignedIn:
    """The cookies of a person, who signs in once for all pages."""

    @cache
    def cookies(who: tuple[str, str] | None) -> StorageState | None:
        if who is None:
            return None
        with visit(browser, busy_site.base_url) as page:
            sign_in(page, who, "/admin/password_change/")
            return page.context.storage_state()

    return cookies


@pytest.mark.parametrize("shown", PAGES, ids=[shown.name for shown in PAGES])
def test_a_page_is_whole_for_everybody(
    browser: Browser, busy_site: LiveSite, signed_in_as: SignedIn, shown: Shown
) -> None:
    options = {"reduced_motion": "reduce", "storage_state": signed_in_as(shown.who)}
    with visit(browser, busy_site.base_url, color_scheme="light", **options) as page:
        page.goto(shown.path)
        troubles = [*look(page, shown, "light"), *barriers(page)]
        page.set_viewport_size(PHONE)
        troubles += look(page, shown, "phone")
        if ALL_VIEWS:
            page.set_viewport_size(WINDOW)
            page.emulate_media(color_scheme="dark")
            page.reload()
            troubles += [*look(page, shown, "dark"), *barriers(page)]
        assert troubles == []


def look(page: Page, shown: Shown, view: str) -> list[str]:
    """Take the picture; what is wrong with the page as it stands."""
    expect(page.locator(shown.ready).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=SCREENSHOTS / f"{shown.name}-{view}.png", full_page=True)
    wrong = {
        f"{view}: wider than its window": is_wider_than_its_window(page),
        f"{view}: its title was taken": page.title() == "taken",
    }
    return [trouble for trouble, is_so in wrong.items() if is_so]
