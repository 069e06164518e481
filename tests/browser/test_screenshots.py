"""Every page in every light: it shows nothing wider than its window, bars nobody from using it,
runs nothing that was written into it, and leaves a picture for people to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.browser.conftest import (
    SCREENSHOTS,
    barriers,
    is_wider_than_its_window,
    sign_in,
    visit,
)
from tests.browser.pages import PAGES, Shown
from tests.live import LiveSite

VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
# `make screenshots` takes all; without it, light and the phone: nearly every fault shows there.
TAKEN = tuple(VIEWS) if os.environ.get("DREAMFORGE_TEST_ALL_VIEWS") else ("light", "phone")
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


@pytest.mark.parametrize("view", TAKEN)
@pytest.mark.parametrize("shown", PAGES, ids=[shown.name for shown in PAGES])
def test_a_page_is_whole_for_everybody(
    browser: Browser, busy_site: LiveSite, signed_in_as: SignedIn, shown: Shown, view: str
) -> None:
    options = {"reduced_motion": "reduce", "storage_state": signed_in_as(shown.who), **VIEWS[view]}
    with visit(browser, busy_site.base_url, **options) as page:
        page.goto(shown.path)
        expect(page.locator(shown.ready).first).to_be_visible()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=SCREENSHOTS / f"{shown.name}-{view}.png", full_page=True)
        assert not is_wider_than_its_window(page)
        assert "taken" not in page.title()
        assert view == "phone" or barriers(page) == []
