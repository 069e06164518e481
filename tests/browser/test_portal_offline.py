"""The portal without its network, and what it keeps on a device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SCREENSHOTS, WAIT_MS, barriers
from tests.browser.portal import PHONE, sign_in
from tests.live import ADMIN, LiveSite, Templates, starting

pytestmark = [pytest.mark.pure, pytest.mark.live]


@pytest.fixture
def site(live_templates: Templates) -> Iterator[LiveSite]:
    with starting(live_templates) as start:
        yield start(DF_AUTH="on")


@pytest.fixture
def installed(browser: Browser, site: LiveSite) -> Iterator[Page]:
    """A page whose service worker is at work."""
    context = browser.new_context(base_url=site.base_url, viewport=PHONE)
    page = context.new_page()
    sign_in(page, ADMIN)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    yield page
    context.close()


def test_without_a_network_the_offline_page_stands_in_and_comes_back_by_itself(
    installed: Page,
) -> None:
    installed.context.set_offline(True)
    installed.goto("/app/images")
    heading = installed.get_by_role("heading", name="The forge cannot be reached")
    expect(heading).to_be_visible()
    ground = "getComputedStyle(document.querySelector('main')).borderRadius"
    assert installed.evaluate(ground) == "14px"  # its style is kept, too
    assert barriers(installed) == []
    installed.screenshot(path=SCREENSHOTS / "portal-offline-phone.png")
    installed.context.set_offline(False)
    images = installed.get_by_role("heading", name="Images", exact=True)
    expect(images).to_be_visible(timeout=WAIT_MS)


def test_the_button_of_the_offline_page_works_once_the_service_is_back(
    installed: Page, site: LiveSite
) -> None:
    site.stop()
    installed.goto("/app/models")
    heading = installed.get_by_role("heading", name="The forge cannot be reached")
    expect(heading).to_be_visible()
    installed.get_by_role("button", name="Try again").click()
    expect(heading).to_be_visible()
    installed.evaluate("setTimeout = () => 0")  # it would come by itself before the press
    site.start()
    installed.get_by_role("button", name="Try again").click()
    expect(installed.get_by_role("heading", name="Models", exact=True)).to_be_visible()


def test_the_offline_page_finds_a_service_that_is_back(installed: Page, site: LiveSite) -> None:
    site.stop()
    installed.goto("/app/models")
    expect(installed.get_by_role("heading", name="The forge cannot be reached")).to_be_visible()
    site.start()
    expect(installed.get_by_role("heading", name="Models", exact=True)).to_be_visible(
        timeout=WAIT_MS
    )


def test_nothing_of_a_person_is_kept_on_the_device(installed: Page) -> None:
    for name in ("", "images", "models", "repositories", "downloads", "account"):
        installed.goto(f"/app/{name}")
        installed.wait_for_load_state("networkidle")
    kept = installed.evaluate(
        """async () => {
            const kept = [];
            for (const name of await caches.keys()) {
                const shelf = await caches.open(name);
                for (const request of await shelf.keys()) {
                    const text = await (await shelf.match(request)).text();
                    kept.push([new URL(request.url).pathname, text]);
                }
            }
            return kept;
        }"""
    )
    paths = sorted(path for path, _ in kept)
    assert "/app/offline" in paths
    assert [path for path in paths if not path.startswith("/static/portal/")] == ["/app/offline"]
    assert [path for path, text in kept if ADMIN[0] in text or "csrf" in text.lower()] == []


def test_chromium_finds_the_app_fit_to_be_installed(installed: Page, site: LiveSite) -> None:
    scope = installed.evaluate("navigator.serviceWorker.ready.then((found) => found.scope)")
    assert scope == f"{site.base_url}/app/"
    session = installed.context.new_cdp_session(installed)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    assert found["url"] == f"{site.base_url}/app/manifest.webmanifest"
    verdict = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A private window installs nothing, whatever the app.
    assert [one["errorId"] for one in verdict if one["errorId"] != "in-incognito"] == []
