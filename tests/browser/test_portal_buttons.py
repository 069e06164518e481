"""What is somebody else's is looked at without the buttons that only its owner may press."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import sign_in, visit
from tests.browser.seeded_repositories import HOSTILE_REPO
from tests.browser.seeding import OPERATOR, VIEWER, id_of
from tests.live import LiveSite

pytestmark = [pytest.mark.pure, pytest.mark.live]

DOWNLOAD = f"/app/downloads/{id_of('job fetching')}"
BROKEN_OFF = f"/app/downloads/{id_of('job broken off')}"
REPOSITORY = f"/app/repositories/{id_of(HOSTILE_REPO)}"
DRAWING = f"/app/create#job={id_of('job running')}"


@pytest.mark.parametrize(("who", "offered"), [(OPERATOR, True), (VIEWER, False)])
def test_a_viewer_sees_no_button_that_is_refused(
    browser: Browser, busy_site: LiveSite, who: tuple[str, str], offered: bool
) -> None:
    with visit(browser, busy_site.base_url) as page:
        sign_in(page, who, "/app/")
        page.goto(DOWNLOAD)
        expect(page.locator("#state")).to_have_text("running", ignore_case=True)
        expect(page.locator("#pause")).to_be_visible(visible=offered)
        page.goto(BROKEN_OFF)
        expect(page.locator("#state")).to_have_text("failed", ignore_case=True)
        expect(page.locator("#resume")).to_be_visible(visible=offered)
        page.goto(REPOSITORY)
        expect(page.locator("#update")).to_contain_text("An update is known")
        update = page.get_by_role("button", name="Update", exact=True)
        expect(update).to_be_visible(visible=offered)
        page.goto(DRAWING)
        expect(page.locator("#status")).not_to_be_empty()
        expect(page.locator("#cancel")).to_be_visible(visible=offered)
        page.goto("/app/images")
        page.get_by_label("Everybody's").check()
        page.locator("#found .tile").first.click()
        expect(page.get_by_role("button", name="Use these settings again")).to_be_visible()
        delete = page.get_by_role("button", name="Delete", exact=True)
        expect(delete).to_be_visible(visible=offered)


def test_the_button_of_the_list_leads_to_the_explorer(
    browser: Browser, busy_site: LiveSite
) -> None:
    with visit(browser, busy_site.base_url) as page:
        sign_in(page, OPERATOR, "/admin/downloader/repo/")
        page.get_by_role("link", name="Explore the hub").first.click()
        expect(page.locator("#explorer")).to_be_visible()
