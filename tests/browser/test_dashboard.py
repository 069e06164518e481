"""The first page, while it is looked at."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import post, sign_in, visit
from tests.browser.seeding import VIEWER
from tests.live import LiveSite

LONG_JOB = {"type": "selftest", "items": 1, "ticks": 200, "tick_ms": 100}
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def number(page: Page, card: str, name: str) -> str:
    cell = page.locator(f"[data-live={card}] .df-numbers > div", has_text=name).locator("dd")
    return cell.inner_text()


def test_the_cards_tell_how_the_service_is(operator: Page) -> None:
    assert number(operator, "work", "Dead") == "2"
    assert number(operator, "models", "Enabled") == "2"
    assert number(operator, "downloads", "Running") == "1"
    expect(operator.locator("[data-live=queues]")).to_contain_text("paused")
    expect(operator.locator("[data-live=devices]")).to_contain_text("epicrealism-xl in memory")
    expect(operator.locator("[data-live=latest-actions]")).to_contain_text("paused: open")


def test_the_charts_are_drawn_and_told_in_words(operator: Page) -> None:
    drawn = operator.locator("canvas[data-chart]")
    expect(drawn).to_have_count(4)
    words = [canvas.get_attribute("aria-label") for canvas in drawn.all()]
    assert [bool(re.search(r"at most .+ in an hour", told or "")) for told in words] == [True] * 4


def test_a_trouble_leads_to_where_it_is_dealt_with(operator: Page) -> None:
    operator.get_by_role("link", name="2 jobs used up their attempts").click()
    operator.wait_for_url("**/admin/jobs/job/?dead=open")
    expect(operator.locator("#result_list tbody")).to_have_count(2)


def test_numbers_change_without_loading_the_page_again(at_work: Page) -> None:
    at_work.evaluate("window.marked = true")
    before = int(number(at_work, "work", "Running"))
    made = post(at_work, "/v1/jobs", LONG_JOB)["job"]["id"]
    running = at_work.locator("[data-live=work] .df-numbers > div", has_text="Running")
    expect(running.locator("dd")).to_have_text(str(before + 1))
    expect(at_work.locator("[data-live=latest-jobs]")).to_contain_text("selftest")
    post(at_work, f"/v1/jobs/{made}/cancel", {})
    expect(running.locator("dd")).to_have_text(str(before))
    assert at_work.evaluate("window.marked")


def test_a_hidden_tab_asks_nothing_until_it_is_looked_at_again(at_work: Page) -> None:
    asked: list[str] = []
    at_work.wait_for_load_state("networkidle")
    at_work.evaluate(HIDE, True)
    at_work.on("request", lambda request: asked.append(request.url))
    at_work.wait_for_timeout(5000)  # longer than a page waits between two looks
    assert asked == []
    with at_work.expect_request(lambda request: request.headers.get("x-forge-live") == "1"):
        at_work.evaluate(HIDE, False)


def test_focus_stays_where_it_was_when_a_card_is_drawn_anew(at_work: Page) -> None:
    link = at_work.locator("[data-live=work] a[href*='running']")
    link.focus()
    before = int(link.inner_text())
    made = post(at_work, "/v1/jobs", LONG_JOB)["job"]["id"]
    expect(at_work.locator("[data-live=work] a[href*='running']")).to_have_text(str(before + 1))
    expect(at_work.locator("[data-live=work] a[href*='running']")).to_be_focused()
    post(at_work, f"/v1/jobs/{made}/cancel", {})


def test_the_first_key_leads_past_the_menu(operator: Page) -> None:
    operator.goto("/admin/")
    operator.keyboard.press("Tab")
    skip = operator.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    operator.keyboard.press("Enter")
    expect(operator.locator("#content")).to_be_focused()


def test_a_viewer_sees_the_same_and_nothing_to_press(browser: Browser, busy_site: LiveSite) -> None:
    with visit(browser, busy_site.base_url) as page:
        sign_in(page, VIEWER)
        expect(page.locator("[data-live=work]")).to_be_visible()
        expect(page.locator("#content form")).to_have_count(0)
