"""A Chromium for the tests of this folder, and pages that notice what goes wrong in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, sync_playwright

from dreamforge_site.environment import BASE_DIR
from tests.live import ADMIN, LiveSite
from tests.services import found

CHROMIUM = (
    "usr/lib/chromium/chromium",
    "opt/google/chrome/chrome",
    "playwright/*/*/chrome-headless-shell",
)
FLAGS = (
    "--no-sandbox",  # root may not use it, and a container forbids it
    "--disable-dev-shm-usage",  # a container's /dev/shm is small
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
SCREENSHOTS = BASE_DIR / "test-results" / "screenshots"
WINDOW: ViewportSize = {"width": 1280, "height": 800}
WAIT_MS = 30_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Not the session's: while Playwright runs, Django refuses database work in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = found.program(*CHROMIUM)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, args=FLAGS, env=dict(found.environment(program))
        )
        yield chromium
        chromium.close()


class Watch:
    """What a page did that it must not do, as readable lines."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.problems: list[str] = []
        self._site = urlsplit(base_url).netloc
        page.on("console", lambda said: self._note(said.type == "error", f"console: {said.text}"))
        page.on("pageerror", lambda error: self._note(True, f"script: {error}"))
        page.on("requestfailed", lambda asked: self._note(_is_broken(asked), asked.url))
        page.on("request", lambda asked: self._note(self._is_foreign(asked.url), asked.url))

    def _note(self, wrong: bool, line: str) -> None:
        if wrong:
            self.problems.append(line)

    def _is_foreign(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme not in ("data", "blob") and parts.netloc != self._site


def _is_broken(asked: Request) -> bool:
    """Leaving a page gives up what it still loads: that is no failure of the file."""
    return asked.failure != "net::ERR_ABORTED"


@pytest.fixture
def page(browser: Browser, live_site: LiveSite) -> Iterator[Page]:
    """A page of a visitor nobody knows; after the test it must have had no problem."""
    context = browser.new_context(base_url=live_site.base_url, viewport=WINDOW)
    context.set_default_timeout(WAIT_MS)
    visited = context.new_page()
    watch = Watch(visited, live_site.base_url)
    yield visited
    context.close()
    assert watch.problems == []


@pytest.fixture
def signed_in(page: Page) -> Page:
    """The page of the staff user, at the admin's index."""
    name, password = ADMIN
    page.goto("/admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    return page


class Screenshot(Protocol):
    def __call__(self, page: Page, name: str) -> Path: ...


@pytest.fixture
def screenshot() -> Screenshot:
    """Keeps a picture of the whole page for people to look at."""

    def take(page: Page, name: str) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return take
