"""The portal's pages of tracked repositories: looking for one, what of it is here, and what may be
started on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests import hubs
from tests.browser import portal
from tests.browser.conftest import SCREENSHOTS, barriers, is_wider_than_its_window, visit
from tests.browser.portal import LARGE, TRACKED, World, as_staff, sign_in
from tests.hubs import models
from tests.live import ADMIN

pytestmark = [pytest.mark.pure, pytest.mark.live]

STARTING = ("Download the rest", "Download all", "Install as a model", "Look for news", "Sync")
WAIT_MS = 60_000


def tracked(forge: World, name: str) -> str:
    """The address of its page."""
    made = as_staff(forge, "hub/register", {"source_repo_id": name})
    return f"/app/repositories/{made['id']}"


def synced(forge: World, name: str) -> str:
    address = tracked(forge, name)
    done = as_staff(forge, "hub/sync?wait=60", {"repo_id": address.rpartition("/")[2]})
    assert done["status"] == "succeeded", done
    return address


def fresh(forge: World, name: str, seed: int) -> str:
    """A repository of a test's own, with bytes that no other has."""
    weights = models.sdxl_checkpoint(seed=seed)
    forge.hub.huggingface.add(name, {"xl.safetensors": weights, "config.json": "{}"})
    return synced(forge, name)


def slow(forge: World, name: str, seed: int) -> str:
    """As `portal.SLOW_REPO` is, by the name of its file."""
    forge.hub.huggingface.add(name, {"large.safetensors": hubs.Generated(24 << 20, seed)})
    return synced(forge, name)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_a_repository_is_found_by_its_name_and_shows_how_much_is_here(
    forge: World, member: Page
) -> None:
    synced(forge, TRACKED)
    tracked(forge, LARGE)
    member.goto("/app/")
    member.get_by_role("link", name="Repositories").click()
    member.get_by_label("Author or name").fill(TRACKED)
    button(member, "Search").click()
    row = member.locator("#found > li")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("of 4 files here")
    row.get_by_role("link").click()
    expect(member.get_by_role("heading", name=TRACKED)).to_be_visible()
    expect(member.locator("#files li")).to_have_count(4)
    member.get_by_label("Part of the path").fill("vae")
    button(member, "Search").click()
    expect(member.locator("#files li")).to_have_count(2)
    member.locator("#status").select_option("failed")
    expect(member.get_by_text("No file fits.")).to_be_visible()


def test_a_name_that_nobody_tracks_is_told(member: Page) -> None:
    member.goto("/app/repositories")
    member.get_by_label("Author or name").fill("no/such")
    button(member, "Search").click()
    expect(member.get_by_text("No repository fits.")).to_be_visible()


def test_who_may_only_look_sees_no_button_that_is_refused(forge: World, member: Page) -> None:
    member.goto(synced(forge, TRACKED))
    expect(member.get_by_role("heading", name=TRACKED)).to_be_visible()
    assert {name: button(member, name).is_visible() for name in STARTING} == dict.fromkeys(
        STARTING, False
    )
    expect(member.get_by_role("link", name="Choose files")).to_be_hidden()


def test_what_is_missing_is_downloaded_and_lies_where_the_copied_path_says(
    forge: World, staff: Page
) -> None:
    staff.context.grant_permissions(["clipboard-read", "clipboard-write"])
    staff.goto(fresh(forge, "forge/wanted-xl", 11))
    weights = staff.locator("#files li", has_text="xl.safetensors")
    expect(weights.locator(".state")).to_have_text("not here")
    button(staff, "Download the rest").click()
    expect(staff.locator("#states")).to_contain_text("All here", timeout=WAIT_MS)
    expect(weights.locator(".state")).to_have_text("here")
    expect(button(staff, "Download the rest")).to_be_hidden()
    weights.get_by_role("button").click()
    expect(staff.locator("#toasts")).to_contain_text("Copied.")
    assert Path(staff.evaluate("navigator.clipboard.readText()")).is_file()
    button(staff, "Copy path").click()
    expect(staff.locator("#toasts .toast")).to_have_count(2)
    assert Path(staff.evaluate("navigator.clipboard.readText()")).is_dir()


def test_a_path_is_copied_where_the_browser_has_no_clipboard_for_us(
    forge: World, staff: Page
) -> None:
    """Over plain http, from another machine."""
    staff.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    staff.goto(synced(forge, TRACKED))
    staff.evaluate(
        """() => { document.execCommand = () => {
            window.copied = document.activeElement.value; return true; }; }"""
    )
    staff.get_by_role("button", name="Copy the path of README.md").click()
    expect(staff.locator("#toasts")).to_contain_text("Copied.")
    assert Path(staff.evaluate("window.copied")).is_file()


def test_an_update_is_found_shown_and_approved(forge: World, staff: Page) -> None:
    address = fresh(forge, "forge/moving-xl", 12)
    forge.hub.huggingface["forge/moving-xl"].commit({"added.json": '{"a": 1}'})
    staff.goto(address)
    button(staff, "Look for news").click()
    expect(staff.locator("#update")).to_contain_text("1 file added", timeout=WAIT_MS)
    staff.goto("/app/repositories")
    row = staff.locator("#found > li", has_text="forge/moving-xl")
    expect(row).to_contain_text("Update known")
    row.get_by_role("link").click()
    button(staff, "Update").click()
    expect(staff.locator("#update")).to_be_hidden(timeout=WAIT_MS)
    expect(staff.locator("#files")).to_contain_text("added.json", timeout=WAIT_MS)


def test_a_repository_that_has_gone_at_its_source_says_so(forge: World, staff: Page) -> None:
    forge.hub.huggingface.add("forge/leaving", {"config.json": "{}"})
    address = synced(forge, "forge/leaving")
    forge.hub.huggingface.remove("forge/leaving")
    staff.goto(address)
    button(staff, "Look for news").click()
    expect(staff.locator("#states")).to_contain_text("Gone at its source", timeout=WAIT_MS)
    staff.goto("/app/repositories")
    row = staff.locator("#found > li", has_text="forge/leaving")
    expect(row).to_contain_text("Gone at its source")


def test_a_repository_is_installed_under_a_name_of_ones_own(forge: World, staff: Page) -> None:
    staff.goto(synced(forge, TRACKED))
    button(staff, "Install as a model").click()
    dialog = staff.get_by_role("dialog")
    dialog.get_by_label("Name").fill("kept-by-me")
    dialog.get_by_label("File, folder or pattern").fill("xl.safetensors")
    dialog.get_by_role("button", name="Install").click()
    expect(dialog).to_be_hidden()
    expect(staff.locator("#work")).to_be_hidden(timeout=WAIT_MS)
    staff.goto("/app/models")
    expect(staff.get_by_role("heading", name="kept-by-me")).to_be_visible()


def test_what_cannot_be_installed_is_told_in_the_dialog(browser: Browser, forge: World) -> None:
    page = browser.new_page(base_url=forge.base)  # its console tells of the 422, as it must
    sign_in(page, ADMIN)
    page.goto(synced(forge, TRACKED))
    button(page, "Install as a model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File, folder or pattern").fill("no/such/file")
    dialog.get_by_role("button", name="Install").click()
    expect(dialog.locator(".wrong").first).to_contain_text("no/such/file")
    expect(page.locator("#work")).to_be_hidden()
    page.close()


def test_a_job_on_a_repository_is_seen_while_it_works(forge: World, staff: Page) -> None:
    address = slow(forge, "forge/slow-kept", 2)
    staff.goto(address)
    button(staff, "Download all").click()
    expect(staff.locator("#work-line")).to_have_text(
        re.compile(r"Download: [1-9]\d* %"), timeout=WAIT_MS
    )
    expect(button(staff, "Sync")).to_be_disabled()
    staff.goto("/app/repositories")
    row = staff.locator("#found > li", has_text="forge/slow-kept")
    expect(row).to_contain_text("Download:")
    row.get_by_role("link").click()
    staff.locator("#work-line").get_by_role("link").click()
    expect(staff).to_have_url(re.compile(r"/app/downloads/"))
    button(staff, "Pause").click()
    expect(staff.locator("#state")).to_have_text("Stopped", timeout=WAIT_MS)
    staff.get_by_role("link", name="Show the repository").click()
    expect(staff).to_have_url(re.compile(address))
    expect(staff.locator("#work")).to_be_hidden()


def test_anothers_job_is_seen_without_a_way_into_it(forge: World, member: Page) -> None:
    address = slow(forge, "forge/slow-too", 3)
    made = as_staff(forge, "downloads", {"author": "forge", "repo": "slow-too"})
    member.goto(address)
    expect(member.locator("#work-line")).to_contain_text("Download:", timeout=WAIT_MS)
    expect(member.locator("#work-line").get_by_role("link")).to_have_count(0)
    as_staff(forge, f"downloads/{made['download_id']}/cancel", {})
    expect(member.locator("#work")).to_be_hidden(timeout=WAIT_MS)


def test_an_address_of_a_tracked_repository_leads_to_its_page(forge: World, member: Page) -> None:
    address = tracked(forge, TRACKED)
    member.goto(f"/app/add?url={TRACKED}")
    member.get_by_role("link", name="Show the repository").click()
    expect(member).to_have_url(re.compile(f"{address}$"))


def test_ten_thousand_files_are_read_in_pages_and_filtered(forge: World, member: Page) -> None:
    member.goto(synced(forge, LARGE))
    files = member.locator("#files li")
    expect(files).to_have_count(200)
    expect(member.locator("#about")).to_contain_text("of 10000 files here")
    button(member, "Show more").click()
    expect(files).to_have_count(400)
    expect(files.last).to_contain_text("part-00399.txt")
    member.get_by_label("Part of the path").fill("part-0999")
    button(member, "Search").click()
    expect(files).to_have_count(10)
    expect(button(member, "Show more")).to_be_hidden()


VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "dark", "viewport": portal.PHONE},
}


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_of_a_repository_is_whole_for_everybody(
    browser: Browser, forge: World, view: str
) -> None:
    address = synced(forge, TRACKED)
    with visit(browser, forge.base, reduced_motion="reduce", **VIEWS[view]) as page:
        sign_in(page, ADMIN)
        page.goto(address)
        expect(page.locator("#files li").first).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"portal-repository-{view}.png", full_page=True)
        found = [*barriers(page), is_wider_than_its_window(page)]
        button(page, "Install as a model").click()
        page.screenshot(path=SCREENSHOTS / f"portal-repository-install-{view}.png")
        found += [*barriers(page), is_wider_than_its_window(page)]
    assert found == [False, False]


def test_a_repository_is_worked_with_by_keyboard(forge: World, staff: Page) -> None:
    staff.goto(synced(forge, TRACKED))
    opening = button(staff, "Install as a model")
    opening.focus()
    staff.keyboard.press("Enter")
    dialog = staff.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("one => one.contains(document.activeElement)")
    staff.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opening).to_be_focused()


def test_what_is_touched_on_a_repository_is_large_enough(forge: World, browser: Browser) -> None:
    with visit(browser, forge.base, viewport=portal.PHONE) as page:
        sign_in(page, ADMIN)
        page.goto(synced(forge, TRACKED))
        expect(page.locator("#files li").first).to_be_visible()
        button(page, "Install as a model").click()
        assert portal.too_small(page) == []
