"""Word of work that has ended: once, whether somebody looks or not."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.portal import MEMBER, World, begin, sign_in

pytestmark = [pytest.mark.pure, pytest.mark.live]

TOLD = """() => {
    const tell = (title, options) => window.told(JSON.stringify({ title, body: options.body }));
    Notification = class { constructor(title, options) { tell(title, options); } };
    Notification.permission = "granted";
    ServiceWorkerRegistration.prototype.showNotification = async (title, options) => {
        tell(title, options);
    };
}"""
TOASTED = """() => addEventListener("DOMContentLoaded", () => {
    const tell = (records) => {
        for (const node of records.flatMap((record) => [...record.addedNodes])) {
            window.toasted(node.textContent);
        }
    };
    const place = document.getElementById("toasts");
    if (place) new MutationObserver(tell).observe(place, { childList: true });
})"""
WATCHED = """Object.entries(localStorage).some(
    ([name, kept]) => name.startsWith("portal-watched") && kept.includes("a crowded square"),
)"""
UNSEEN = "Object.defineProperty(document, 'hidden', { get: () => true })"


@pytest.fixture
def told(context: BrowserContext, forge: World) -> list[str]:
    """The notifications that the pages of the context have shown."""
    said: list[str] = []
    context.grant_permissions(["notifications"], origin=forge.base)

    def tell(line: str) -> None:
        said.append(line)

    context.expose_function("told", tell)
    context.add_init_script(f"({TOLD})()")
    return said


def test_work_that_ends_while_nobody_looks_is_told_by_the_system(
    context: BrowserContext, told: list[str]
) -> None:
    context.clock.install()
    context.add_init_script(UNSEEN)
    page = context.new_page()
    sign_in(page, MEMBER)
    begin(page, "a hidden lake")
    toast = page.locator("#toasts a")
    expect(toast).to_contain_text("Images: done. a hidden lake", timeout=60_000)
    assert told == ['{"title":"Images: done","body":"a hidden lake"}']
    page.clock.run_for(60_000)
    expect(toast).to_be_visible()  # it waits for somebody to look


def test_of_several_open_pages_one_tells(context: BrowserContext, told: list[str]) -> None:
    toasts: list[str] = []

    def toasted(line: str) -> None:
        toasts.append(line)

    context.expose_function("toasted", toasted)
    context.add_init_script(f"({TOASTED})()")
    context.clock.install()
    pages = [context.new_page() for _ in range(4)]
    sign_in(pages[0], MEMBER)
    begin(pages[0], "a crowded square")
    job = pages[0].url.rpartition("=")[2]
    for page in pages:
        page.goto("/app/account")
    ended = f"/v1/jobs/{job}?wait=60"
    assert pages[0].request.get(ended).json()["status"] == "succeeded"
    look(pages)
    pages[-1].wait_for_function(f"!({WATCHED})")
    look(pages)
    assert told == ['{"title":"Images: done","body":"a crowded square"}']
    assert toasts == ["Images: done. a crowded square"]


def look(pages: list[Page]) -> None:
    """All at once; over when what each asks for by itself has been answered."""
    for page in pages:
        page.clock.run_for(5500)
    for page in pages:
        page.evaluate("fetch('/v1/version').then((answer) => answer.text())")


def test_a_page_that_is_closed_leaves_the_telling_to_another(
    context: BrowserContext, told: list[str]
) -> None:
    stays = context.new_page()
    sign_in(stays, MEMBER)
    leaves = context.new_page()
    leaves.goto("/app/")
    begin(leaves, "a last train")
    leaves.close()
    toast = stays.locator("#toasts a", has_text="a last train")
    expect(toast).to_be_visible(timeout=60_000)
    assert told == ['{"title":"Images: done","body":"a last train"}']


def test_a_page_without_permission_shows_its_own_word_only(member_page: Page) -> None:
    begin(member_page, "a quiet one")
    member_page.goto("/app/account")
    expect(member_page.locator("#toasts a")).to_contain_text("a quiet one", timeout=60_000)
    expect(member_page.locator("#notify-state")).not_to_contain_text("You are told")
