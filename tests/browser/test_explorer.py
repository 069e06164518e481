"""From a pasted address to files on the disk, in a real browser, with a real worker and hub."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dreamforge_site.environment import BASE_DIR
from tests import hubs
from tests.browser.conftest import (
    WAIT_MS,
    Screenshot,
    barriers,
    is_wider_than_its_window,
    sign_in,
    visit,
)
from tests.hubs import Hub, RemoteHub, models
from tests.live import ADMIN, LiveSite, Templates, starting

MANY = 10_000
EXPLORE = "/admin/downloader/repo/explore/"


def fill(hub: Hub) -> None:
    weights = models.sdxl_checkpoint(size=300_000, seed=1)
    hub.huggingface.add(
        "forge/sketch",
        {
            "README.md": "# A model\n",
            "config.json": '{"model_type": "forge"}',
            "unet/config.json": "{}",
            "unet/model.safetensors": weights,
            "vae/model.safetensors": models.sdxl_checkpoint(size=200_000, seed=2),
        },
    ).tag("v1")
    many = {f"part-{n // 100:03}/{n:05}.json": "{}" for n in range(MANY)}
    hub.huggingface.add("forge/many", many)


@pytest.fixture(scope="module")
def far_hub() -> Iterator[RemoteHub]:
    with hubs.process(f"{__name__}:fill") as hub:
        yield hub


@pytest.fixture(scope="module")
def site(live_templates: Templates, far_hub: RemoteHub) -> Iterator[LiveSite]:
    with starting(live_templates) as start, contextlib.ExitStack() as cleanup:
        found = start(database="sqlite", DF_AUTH="on", HF_ENDPOINT=far_hub.endpoint)
        command = [sys.executable, "manage.py", "worker", "--queue=io"]
        with (found.data_dir / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                command, cwd=BASE_DIR, env=found.variables, stdout=log, stderr=log
            )
        cleanup.callback(worker.wait)
        cleanup.callback(worker.terminate)
        yield found


@pytest.fixture
def explorer(browser: Browser, site: LiveSite) -> Iterator[Page]:
    with visit(browser, site.base_url) as page:
        sign_in(page, ADMIN, EXPLORE)
        yield page


def assert_seen(what: Locator) -> None:
    """In the end: a worker may have to do something first."""
    expect(what).to_be_visible(timeout=WAIT_MS)


def look(page: Page, address: str) -> None:
    page.get_by_label("Repository", exact=True).first.fill(address)
    page.get_by_role("button", name="Look", exact=True).click()


def test_a_pasted_page_becomes_files_on_the_disk(
    explorer: Page, site: LiveSite, far_hub: RemoteHub, screenshot: Screenshot
) -> None:
    look(explorer, f"{far_hub.endpoint}/forge/sketch/tree/main/unet")
    assert_seen(explorer.get_by_text("2 of 5 files, 294.4 KiB; 0 B of it here already"))
    explorer.get_by_role("button", name="config.json", exact=True).first.click()
    assert_seen(explorer.get_by_text("size_bytes: 2"))
    explorer.get_by_placeholder("*.safetensors").fill("vae/*")
    explorer.get_by_role("button", name="Select by pattern").click()
    assert_seen(explorer.get_by_text("3 of 5 files"))
    screenshot(explorer, "admin-explorer")
    explorer.get_by_role("button", name="Download", exact=True).click()
    folder = site.data_dir / "models" / "forge" / "sketch" / "main"
    assert_seen(explorer.get_by_text(str(folder)))
    assert (folder / "unet" / "model.safetensors").stat().st_size > 300_000
    assert_seen(explorer.locator(".df-tree-here").first)
    assert barriers(explorer) == []


def test_what_is_all_here_is_told_and_can_be_forced(explorer: Page, far_hub: RemoteHub) -> None:
    look(explorer, "forge/sketch")
    explorer.get_by_label("Revision").select_option("v1")
    assert_seen(explorer.get_by_text("Nothing is selected of 5 files"))
    explorer.get_by_label("Select README.md").check()
    explorer.get_by_role("button", name="Download", exact=True).click()
    assert_seen(explorer.get_by_text("The files are here."))


def test_a_repository_of_ten_thousand_files_is_chosen_from_as_quickly(explorer: Page) -> None:
    look(explorer, "forge/many")
    assert_seen(explorer.get_by_text("10,000 files", exact=True))
    assert explorer.locator(".df-tree-line").count() == 100
    explorer.get_by_role("button", name="Select all or none").click()
    assert_seen(explorer.get_by_text("10,000 of 10,000 files, 19.5 KiB"))


def test_a_repository_that_is_not_there_is_told_in_words(browser: Browser, site: LiveSite) -> None:
    context = browser.new_context(base_url=site.base_url)
    page = context.new_page()  # a refused request is an error of the console
    sign_in(page, ADMIN, EXPLORE)
    look(page, "forge/absent")
    assert_seen(page.get_by_text("Check the spelling"))
    context.close()


def test_it_fits_a_phone(browser: Browser, site: LiveSite, screenshot: Screenshot) -> None:
    with visit(browser, site.base_url, viewport={"width": 390, "height": 844}) as page:
        sign_in(page, ADMIN, EXPLORE)
        look(page, "forge/sketch")
        assert_seen(page.get_by_text("Nothing is selected of 5 files"))
        assert not is_wider_than_its_window(page)
        screenshot(page, "admin-explorer-phone")
