"""The portal while the network or the service is away, and what it tells when nobody looks."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.conftest import SCREENSHOTS, WAIT_MS, barriers
from tests.browser.portal import MEMBER, PHONE, World, as_staff, sign_in
from tests.dreamforge_site.supervisor.supervised import children_of
from tests.hubs import models
from tests.live import ADMIN, LiveSite, Templates, starting

pytestmark = [pytest.mark.pure, pytest.mark.live]

AWAY = "The service cannot be reached"


@pytest.fixture
def context(browser: Browser, forge: World) -> Iterator[BrowserContext]:
    """Without the watch over consoles: what fails while the service is away is written there."""
    made = browser.new_context(base_url=forge.base)
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


@pytest.fixture
def member_page(context: BrowserContext) -> Page:
    page = context.new_page()
    sign_in(page, MEMBER)
    return page


# The network


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
    expect(installed.get_by_role("heading", name="Images", exact=True)).to_be_visible()


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


# The service


@contextmanager
def no_service(forge: World) -> Iterator[None]:
    """Its web process is killed, and the supervisor is held until the end: then it starts another
    one. Workers go on."""
    supervisor = forge.process.process.pid
    (web,) = [pid for pid in children_of(supervisor) if "web" in words_of(pid)]
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(web, signal.SIGKILL)
    try:
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


def words_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def streams(page: Page, path: str) -> list[Request]:
    """Filled with the requests of streams, as they are made."""
    found: list[Request] = []

    def note(asked: Request) -> None:
        if re.search(path, asked.url):
            found.append(asked)

    page.on("request", note)
    return found


def resumes(asked: Request) -> bool:
    return "since_id" in asked.url or "last-event-id" in asked.all_headers()


def test_drawing_is_followed_over_a_restart_of_the_service(member_page: Page, forge: World) -> None:
    asked = streams(member_page, r"/v1/jobs/[^/]+/progress/stream")
    begin(member_page, "a long road", count=12)
    images = member_page.locator("#items button.tile img")
    expect(images.first).to_be_visible(timeout=60_000)
    with no_service(forge):
        expect(member_page.locator("#away")).to_contain_text(AWAY, timeout=WAIT_MS)
    expect(images).to_have_count(12, timeout=120_000)
    expect(member_page.locator("#status")).to_have_text("Done. 12 images.")
    expect(member_page.locator("#away")).to_be_hidden()
    assert resumes(asked[-1])


def test_a_download_is_followed_over_a_restart_of_the_service(
    context: BrowserContext, forge: World
) -> None:
    weights = models.sdxl_checkpoint(size=96 << 20, seed=9)
    forge.hub.huggingface.add("forge/road", {"large.safetensors": weights})
    made = as_staff(forge, "downloads", {"author": "forge", "repo": "road"})
    page = context.new_page()
    sign_in(page, ADMIN)
    asked = streams(page, r"/v1/downloads/[^/]+/stream")
    page.goto(f"/app/downloads/{made['download_id']}")
    expect(page.locator("#status")).to_contain_text("/s", timeout=60_000)
    with no_service(forge):
        expect(page.locator("#away")).to_contain_text(AWAY, timeout=WAIT_MS)
    expect(page.locator("#state")).to_have_text("Done", timeout=120_000)
    expect(page.locator("#away")).to_be_hidden()
    assert resumes(asked[-1])
    heard = page.locator("#log li").all_text_contents()
    page.reload()  # the stream from its beginning, without a break
    expect(page.locator("#log li")).to_have_count(len(heard))
    assert page.locator("#log li").all_text_contents() == heard


def test_a_proxys_page_in_place_of_a_stream_is_no_end_of_it(
    member_page: Page, forge: World
) -> None:
    """A browser gives up such a stream; the page does not."""
    begin(member_page, "a road with a toll", count=6)
    expect(member_page.locator("#items button.tile img").first).to_be_visible(timeout=60_000)
    answers = [502, 503]

    def toll(route: Any) -> None:
        if answers:
            route.fulfill(
                status=answers.pop(), body="<h1>Bad gateway</h1>", content_type="text/html"
            )
        else:
            route.continue_()

    member_page.route("**/progress/stream*", toll)
    member_page.reload()
    expect(member_page.locator("#status")).to_have_text("Done. 6 images.", timeout=120_000)
    assert answers == []


def test_the_list_of_downloads_says_that_the_service_is_away(
    context: BrowserContext, forge: World
) -> None:
    page = context.new_page()
    sign_in(page, ADMIN)
    page.goto("/app/downloads")
    expect(page.locator("#found li").first).to_be_visible()
    page.route("**/v1/downloads?*", lambda route: route.abort())
    expect(page.locator("#away")).to_contain_text(AWAY)
    page.unroute("**/v1/downloads?*")
    expect(page.locator("#away")).to_be_hidden()


# Telling


TOLD = """() => {
    const tell = (title, options) => window.told(JSON.stringify({ title, body: options.body }));
    Notification = class { constructor(title, options) { tell(title, options); } };
    Notification.permission = "granted";
    ServiceWorkerRegistration.prototype.showNotification = async (title, options) => {
        tell(title, options);
    };
}"""
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


def begin(page: Page, prompt: str, count: int = 1) -> None:
    page.goto("/app/create")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_label("Width").fill("64")
    page.get_by_label("Height").fill("64")
    page.get_by_label("Images", exact=True).fill(str(count))
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Drawing", timeout=60_000)


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
    toasts = [page.locator("#toasts a", has_text="a crowded square") for page in pages]
    expect(toasts[-1]).to_be_visible()  # of the page that was opened last
    assert [toast.count() for toast in toasts[:-1]] == [0, 0, 0]
    look(pages)
    assert told == ['{"title":"Images: done","body":"a crowded square"}']


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
