"""An image opened from a gallery, for those who have no mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import barriers, sign_in, visit
from tests.browser.seeding import OPERATOR
from tests.live import LiveSite

pytestmark = [pytest.mark.pure, pytest.mark.live]

AT_END = """({ scrollTop, clientHeight, scrollHeight }) =>
    scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 1"""


def with_long_prompts(route: Route) -> None:
    told = route.fetch().json()
    told["artifacts"] = [{**one, "prompt": "a long road " * 300} for one in told["artifacts"]]
    route.fulfill(json=told)


def test_a_long_prompt_is_read_to_its_end_by_keyboard(
    browser: Browser, busy_site: LiveSite
) -> None:
    with visit(browser, busy_site.base_url) as page:
        page.route("**/v1/artifacts?*", with_long_prompts)
        sign_in(page, OPERATOR, "/app/images")
        page.locator("#found .tile").first.click()
        prompt = page.get_by_role("group", name="Prompt", exact=True)
        expect(prompt).to_contain_text("a long road")
        page.get_by_role("button", name="Close").focus()
        page.keyboard.press("Tab")
        expect(prompt).to_be_focused()
        page.keyboard.press("End")
        page.wait_for_function(AT_END, arg=prompt.element_handle())
        assert barriers(page) == []
