"""A Chromium for the tests of this folder, and pages that notice what goes wrong in them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from dreamforge_site.environment import BASE_DIR
from tests.browser import portal
from tests.browser.seeding import OPERATOR
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.live import ADMIN, LiveSite, Templates, starting
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
expect.set_options(timeout=WAIT_MS)  # five seconds are little on a busy machine


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


@contextmanager
def visit(browser: Browser, base_url: str, **options: Any) -> Iterator[Page]:
    """A page of a visitor nobody knows; afterwards it must have had no problem: no error in its
    console (a breach of its Content-Security-Policy is one), no missing file, nothing foreign."""
    context = browser.new_context(base_url=base_url, **{"viewport": WINDOW, **options})
    context.set_default_timeout(WAIT_MS)
    visited = context.new_page()
    watch = Watch(visited, base_url)
    yield visited
    context.close()
    assert watch.problems == []


def sign_in(page: Page, who: tuple[str, str], to: str = "/admin/") -> None:
    name, password = who
    page.goto(f"/admin/login/?next={quote(to)}")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/admin/login/" not in url)


@pytest.fixture
def page(browser: Browser, live_site: LiveSite) -> Iterator[Page]:
    with visit(browser, live_site.base_url) as visited:
        yield visited


@pytest.fixture
def signed_in(page: Page) -> Page:
    """The page of the staff user, at the admin's index."""
    sign_in(page, ADMIN)
    return page


@pytest.fixture(scope="package")
def busy_site(live_templates: Templates) -> Iterator[LiveSite]:
    """A site in the middle of its day (`seeding`), with no worker that would change it."""
    with starting(live_templates) as start:
        site = start(DF_AUTH="on", DF_MIN_FREE_BYTES="0", DF_ALLOW_REGISTRATION="true")
        command = [sys.executable, "-m", "tests.browser.seeding"]
        subprocess.run(command, cwd=BASE_DIR, env=site.variables, check=True)
        yield site


@pytest.fixture(scope="package")
def working_site(live_templates: Templates) -> Iterator[LiveSite]:
    """A site with a worker of its io queue."""
    with starting(live_templates) as start:
        site = start(DF_AUTH="on", DF_MIN_FREE_BYTES="0")
        command = [sys.executable, "manage.py", "worker", "--queue", "io"]
        worker = Supervised(command, site.variables, BASE_DIR)
        try:
            worker.wait_for("worker_started")
            yield site
        finally:
            worker.destroy()


@pytest.fixture
def at_work(browser: Browser, working_site: LiveSite) -> Iterator[Page]:
    """The staff user's page of the site that works."""
    with visit(browser, working_site.base_url) as visited:
        sign_in(visited, ADMIN)
        yield visited


def post(page: Page, path: str, body: dict[str, Any]) -> Any:
    """To the API, as the person who is signed in."""
    [token] = [c["value"] for c in page.context.cookies() if c.get("name") == "csrftoken"]
    answer = page.request.post(path, data=body, headers={"X-CSRFToken": token})
    assert answer.ok, answer.text()
    return answer.json()


@pytest.fixture
def operator(browser: Browser, busy_site: LiveSite) -> Iterator[Page]:
    """An operator of the busy site, signed in."""
    with visit(browser, busy_site.base_url) as visited:
        sign_in(visited, OPERATOR)
        yield visited


# The portal's people


@pytest.fixture(scope="package")
def forge(live_templates: Templates) -> Iterator[portal.World]:
    folder = Path(tempfile.mkdtemp(prefix="dreamforge-portal-"))
    try:
        with portal.world(live_templates, folder) as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def visitor(browser: Browser, forge: portal.World) -> Iterator[Page]:
    with visit(browser, forge.base) as page:
        yield page


@pytest.fixture
def member(visitor: Page) -> Page:
    portal.sign_in(visitor, portal.MEMBER)
    return visitor


@pytest.fixture
def staff(visitor: Page) -> Page:
    portal.sign_in(visitor, ADMIN)
    return visitor


@pytest.fixture
def pocket(browser: Browser, forge: portal.World) -> Iterator[Page]:
    """The member's phone."""
    with visit(browser, forge.base, viewport=portal.PHONE) as page:
        portal.sign_in(page, portal.MEMBER)
        yield page


@pytest.fixture
def context(browser: Browser, forge: portal.World) -> Iterator[BrowserContext]:
    """Without the watch over its console, where refusals and absences are told."""
    made = browser.new_context(base_url=forge.base)
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


@pytest.fixture
def member_page(context: BrowserContext) -> Page:
    page = context.new_page()
    portal.sign_in(page, portal.MEMBER)
    return page


def is_wider_than_its_window(page: Page) -> bool:
    wide: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide


def barriers(page: Page) -> list[str]:
    """What keeps people from using a page, by axe's rules of WCAG 2 A and AA and of landmarks, as
    readable lines."""
    options = {"resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['impact']} {rule['id']}: {node['html'][:160]}"
        for rule in found
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical", "moderate")
    ]


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
