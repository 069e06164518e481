"""The portal as its people use it: a real browser, the whole service, an engine that pretends."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from runners import image_files
from runners.engines.base import Picture
from tests.browser import portal
from tests.browser.conftest import SCREENSHOTS, barriers, is_wider_than_its_window, visit
from tests.browser.portal import MEMBER, PHONE, door_of, draw, shown_width, sign_in
from tests.jobs.generation.forge import Forge
from tests.live import ADMIN

pytestmark = [pytest.mark.pure, pytest.mark.live]

HOSTILE = (
    "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script> "
    "{{ 7*7 }} &amp; \u202egnp.exe\u202c \u0645\u0631\u062d\u0628\u0627 🦊🔥 " + "w" * 3000
)
PAGES = ("", "create", "images", "models", "repositories", "add", "downloads", "account")
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE},
    "small": {"color_scheme": "dark", "viewport": {"width": 320, "height": 640}},
}


# Signing in and out


def test_a_visitor_signs_in_and_comes_to_the_page_that_was_asked_for(visitor: Page) -> None:
    visitor.goto("/app/images")
    expect(visitor).to_have_url(re.compile(r"/app/sign-in\?next=/app/images"))
    sign_in(visitor, MEMBER, "/app/images")
    expect(visitor).to_have_url(re.compile(r"/app/images$"))


def test_a_wrong_password_is_told_and_lets_nobody_in(visitor: Page) -> None:
    visitor.goto("/app/sign-in")
    visitor.get_by_label("Name").fill(MEMBER[0])
    visitor.get_by_label("Password").fill("a guess")
    visitor.get_by_role("button", name="Sign in").click()
    expect(visitor.get_by_role("alert")).to_contain_text("correct")
    visitor.goto("/app/")
    expect(visitor).to_have_url(re.compile(r"/app/sign-in"))


def test_signing_out_ends_the_session(member: Page) -> None:
    member.goto("/app/account")
    member.get_by_role("button", name="Sign out").click()
    expect(member).to_have_url(re.compile(r"/app/sign-in"))
    assert member.request.get("/v1/jobs").status == 401


# Drawing


def test_images_appear_one_by_one_while_the_job_runs(member: Page) -> None:
    member.goto("/app/create")
    member.get_by_label("Prompt", exact=True).fill("a mill at dusk")
    member.get_by_label("Width").fill("64")
    member.get_by_label("Height").fill("64")
    member.get_by_label("Images", exact=True).fill("4")
    member.get_by_role("button", name="Draw", exact=True).click()
    images = member.locator("#items button.tile img")
    expect(images.first).to_be_visible(timeout=60_000)
    expect(member.locator("#items .waiting").first).to_be_visible()
    expect(member.get_by_role("button", name="Cancel")).to_be_visible()
    expect(images).to_have_count(4, timeout=60_000)
    expect(member.locator("#status")).to_have_text("Done. 4 images.")
    assert shown_width(images.last) == 64


def test_a_job_is_canceled_and_keeps_what_is_finished(member: Page) -> None:
    member.goto("/app/create")
    member.get_by_label("Prompt", exact=True).fill("a very long work")
    member.get_by_label("Images", exact=True).fill("100")
    member.get_by_label("Width").fill("64")
    member.get_by_label("Height").fill("64")
    member.get_by_role("button", name="Draw", exact=True).click()
    expect(member.locator("#items button.tile").first).to_be_visible(timeout=60_000)
    member.get_by_role("button", name="Cancel").click()
    expect(member.locator("#status")).to_contain_text("Stopped.", timeout=30_000)
    assert 1 <= member.locator("#items button.tile").count() < 100
    expect(member.locator("#items .waiting")).to_have_count(0)


def test_the_form_has_the_bounds_of_the_model_and_says_what_is_wrong(member: Page) -> None:
    member.goto("/app/create")
    width = member.get_by_label("Width")
    expect(width).to_have_attribute("min", "64")
    expect(width).to_have_attribute("step", "8")
    expect(width).to_have_value("1024")
    width.fill("65")
    member.get_by_role("button", name="Draw", exact=True).click()
    expect(member.locator("#why-prompt")).to_be_visible()
    expect(member.locator("#why-width")).to_be_visible()
    expect(member.locator("#work")).to_be_hidden()


def test_a_preset_fills_in_its_values(member: Page) -> None:
    member.goto("/app/create")
    expect(member.get_by_label("Width")).to_have_value("1024")
    member.get_by_label("Preset").select_option("cpu")
    expect(member.get_by_label("Width")).to_have_value("512")
    expect(member.locator("#preset-about")).to_contain_text("No GPU")
    member.get_by_role("button", name="Defaults").click()
    expect(member.get_by_label("Width")).to_have_value("1024")


def test_a_page_that_is_loaded_again_goes_on_with_its_job(member: Page) -> None:
    draw(member, "a bridge", count=2)
    member.reload()
    expect(member.locator("#items button.tile img")).to_have_count(2)
    expect(member.locator("#status")).to_have_text("Done. 2 images.")


def test_an_idea_on_the_home_page_goes_into_the_form(member: Page) -> None:
    member.get_by_label("What should the image show?").fill("a fox in the snow")
    member.get_by_role("button", name="Create").click()
    expect(member.get_by_label("Prompt", exact=True)).to_have_value("a fox in the snow")


# The gallery


def test_the_gallery_finds_images_by_words_and_seed(member: Page) -> None:
    draw(member, "a purple whale")
    draw(member, "an orange kite")
    member.goto("/app/images")
    member.get_by_label("Words of the prompt").fill("WHALE purple")
    member.get_by_role("button", name="Search").click()
    expect(member.locator("#found button.tile")).to_have_count(1)
    expect(member.get_by_role("img", name="a purple whale")).to_be_visible()
    member.get_by_label("Words of the prompt").fill("no such words")
    member.get_by_role("button", name="Search").click()
    expect(member.get_by_text("No image fits.")).to_be_visible()


@pytest.mark.parametrize(
    ("address", "place"), [("create", "#items"), ("images", "#found"), ("", "#recent")]
)
def test_tiles_load_thumbnails_and_an_opened_image_is_the_whole_one(
    member: Page, address: str, place: str
) -> None:
    draw(member, f"a wide field seen from {place}", side=512)
    if address != "create":
        member.goto(f"/app/{address}")
    tile = member.locator(f"{place} button.tile img").first
    expect(tile).to_be_visible()
    assert (door_of(tile), shown_width(tile)) == ("thumbnail", 384)
    room = [tile.get_attribute(name) for name in ("loading", "width", "height")]
    assert room == ["lazy", "512", "512"]
    tile.click()
    whole = member.locator("#picture img.whole")
    assert (door_of(whole), shown_width(whole)) == ("file", 512)


def test_a_thumbnail_that_cannot_be_had_is_replaced_by_the_image(member: Page) -> None:
    draw(member, "a field in fog", side=512)
    member.route("**/v1/artifacts/*/thumbnail?*", lambda route: route.fulfill(body="no picture"))
    member.goto("/app/images")
    tile = member.get_by_role("img", name="a field in fog").first
    expect(tile).to_have_js_property("naturalWidth", 512)
    assert door_of(tile) == "file"


def test_settings_of_an_image_are_used_again(member: Page) -> None:
    draw(member, "an owl on a gate", steps=3)
    member.goto("/app/images")
    member.get_by_role("img", name="an owl on a gate").first.click()
    seed = member.locator("dt:text-is('Seed') + dd").inner_text()
    member.get_by_role("button", name="Use these settings again").click()
    expect(member.get_by_label("Prompt", exact=True)).to_have_value("an owl on a gate")
    expect(member.get_by_label("Seed")).to_have_value(seed)
    expect(member.get_by_label("Width")).to_have_value("64")
    member.get_by_text("More settings").click()
    expect(member.get_by_label("Steps")).to_have_value("3")


def test_an_image_is_removed_after_a_second_press(member: Page) -> None:
    draw(member, "a picture to be removed")
    member.goto("/app/images")
    image = member.get_by_role("img", name="a picture to be removed")
    image.first.click()
    member.get_by_role("button", name="Delete", exact=True).click()
    expect(image.first).to_be_attached()
    member.get_by_role("button", name="Delete for good?").click()
    expect(image).to_have_count(0)
    member.reload()
    expect(member.locator("#found button.tile").first).to_be_visible()
    expect(image).to_have_count(0)


def dropped(page: Page, data: bytes, name: str = "picture.png", kind: str = "image/png") -> None:
    """The file is let fall onto the page."""
    page.evaluate(
        """([bytes, name, type]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
            const init = { dataTransfer: transfer, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("drop", init));
        }""",
        [list(data), name, kind],
    )


def test_a_dropped_image_tells_where_it_comes_from(member: Page) -> None:
    draw(member, "a signed picture").first.click()
    whole = member.locator("#picture img.whole")
    data = member.request.get(str(whole.get_attribute("src"))).body()
    member.goto("/app/images")
    dropped(member, data)
    verdict = member.locator("#verdict [data-verdict]")
    expect(verdict).to_have_attribute("data-verdict", "authentic")
    expect(verdict).to_contain_text("a signed picture")
    read = image_files.read(data)
    other = Picture(read.width, read.height, bytes([read.rgb[0] ^ 1]) + read.rgb[1:])
    dropped(member, image_files.encode(other, "png", read.record))
    expect(verdict).to_have_attribute("data-verdict", "altered")


def test_a_dropped_file_that_is_no_picture_is_refused_in_words(member: Page) -> None:
    member.goto("/app/images")
    dropped(member, b"hello", "notes.txt", "text/plain")
    expect(member.locator("#verdict")).to_contain_text("Only PNG and JPEG")


# Models and downloads


def test_the_catalogue_shows_a_model_and_leads_to_drawing_with_it(member: Page) -> None:
    member.goto("/app/models")
    expect(member.get_by_role("heading", name="tiny-xl")).to_be_visible()
    member.get_by_role("button", name="About").click()
    expect(member.get_by_role("dialog")).to_contain_text("openrail++")
    member.get_by_role("button", name="Close").click()
    member.get_by_role("link", name="Draw with it").click()
    expect(member.get_by_label("Model")).to_contain_text("tiny-xl")
    expect(member.get_by_label("Prompt", exact=True)).to_be_visible()


def test_who_may_only_look_is_offered_no_download(member: Page) -> None:
    member.goto("/app/models")
    expect(member.get_by_role("heading", name="tiny-xl")).to_be_visible()
    expect(member.get_by_role("main").get_by_role("link", name="Add a model")).to_be_hidden()
    member.goto(f"/app/add?url={portal.REPO}")
    expect(member.get_by_label("README.md")).to_be_visible()
    member.get_by_role("button", name="Select all").click()
    expect(member.locator("#total")).to_contain_text("4 files")
    expect(member.get_by_role("button", name="Download", exact=True)).to_be_hidden()
    expect(member.get_by_role("button", name="Install for drawing")).to_be_hidden()


def test_from_an_address_to_files_on_the_disk(staff: Page) -> None:
    staff.goto("/app/add")
    address = f"https://huggingface.co/{portal.REPO}/tree/main"
    staff.get_by_label("Address of a repository").fill(address)
    staff.get_by_role("button", name="Look").click()
    staff.get_by_role("button", name="Open vae").click()
    staff.get_by_label("config.json").check()
    expect(staff.locator("#total")).to_contain_text("1 file, 2 B")
    expect(staff.get_by_label("vae", exact=True)).to_have_js_property("indeterminate", True)
    staff.get_by_label("vae", exact=True).check()
    expect(staff.locator("#total")).to_contain_text("2 files")
    staff.get_by_label("Filter by pattern").fill("*.SAFETENSORS")
    expect(staff.locator("#tree")).to_contain_text("2 files fit")
    staff.get_by_role("button", name="Select all").click()
    expect(staff.locator("#total")).to_contain_text("3 files")
    expect(staff.locator("#total")).to_contain_text("here already")
    staff.get_by_role("button", name="Download", exact=True).click()
    expect(staff).to_have_url(re.compile(r"/app/downloads/[0-9a-f-]{36}$"))
    expect(staff.locator("#state")).to_have_text("Done", timeout=60_000)
    expect(staff.locator("#files")).to_contain_text("vae/config.json")
    staff.goto("/app/downloads")
    expect(staff.locator("#found li").first).to_contain_text("Done")


def test_a_download_is_paused_and_goes_on(staff: Page) -> None:
    staff.goto(f"/app/add?url={portal.SLOW_REPO}")
    staff.get_by_label("large.safetensors").check()
    staff.get_by_role("button", name="Download", exact=True).click()
    expect(staff.locator("#status")).to_contain_text("/s", timeout=60_000)
    first = staff.url
    staff.get_by_role("button", name="Pause").click()
    expect(staff.locator("#state")).to_have_text("Stopped", timeout=30_000)
    expect(staff.locator("#status")).to_contain_text("what was fetched is kept")
    staff.get_by_role("button", name="Resume").click()
    expect(staff).not_to_have_url(first)
    expect(staff.locator("#state")).to_have_text("Running", timeout=60_000)
    staff.get_by_role("button", name="Pause").click()
    expect(staff.locator("#state")).to_have_text("Stopped", timeout=30_000)


def test_a_repository_of_ten_thousand_files_is_chosen_from(staff: Page) -> None:
    """The hub's pages are given here: the page is what is looked at."""
    entries = [
        {"path": f"part-{n:05}.bin", "size_bytes": 1000, "type": "file", "local": n % 2 == 0}
        for n in range(10_000)
    ]

    def tree(route: Route) -> None:
        at = int(re.findall(r"cursor=(\d+)", route.request.url + "&cursor=0")[0])
        following = str(at + 1000) if at + 1000 < len(entries) else None
        page = {"files": entries[at : at + 1000], "next_cursor": following, "source": "hub"}
        route.fulfill(json={**page, "commit": None})

    staff.route("**/v1/hf/tree?*", tree)
    staff.goto(f"/app/add?url={portal.REPO}")
    expect(staff.locator("#reading")).to_have_text("10000 files")
    expect(staff.locator("#tree li")).to_have_count(201)
    staff.get_by_role("button", name="Select all").click()
    expect(staff.locator("#total")).to_contain_text("10000 files, 9.5 MiB; 4.8 MiB here already")
    staff.get_by_role("button", name="Show 200 more of 9800").click()
    expect(staff.get_by_label("part-00399.bin")).to_be_checked()
    staff.get_by_label("Filter by pattern").fill("part-0999?.bin")
    expect(staff.locator("#tree")).to_contain_text("10 files fit")


def test_an_address_that_names_nothing_is_told(browser: Browser, forge: Forge) -> None:
    page = browser.new_page(base_url=forge.base)  # its console tells of the 422, as it must
    sign_in(page, ADMIN, "/app/add")
    page.get_by_label("Address of a repository").fill("https://example.org/what is this")
    with page.expect_response("**/v1/hf/parse-url") as answer:
        page.get_by_role("button", name="Look").click()
    assert answer.value.status == 422
    expect(page.locator("#problem .notice")).to_be_visible()
    expect(page.locator("#repository")).to_be_hidden()
    page.close()


# The app


def test_the_app_can_be_installed_and_keeps_only_its_shell(member: Page) -> None:
    member.goto("/app/images")
    manifest = member.request.get("/app/manifest.webmanifest").json()
    assert manifest["start_url"] == "/app/"
    icons = [member.request.get(icon["src"]) for icon in manifest["icons"]]
    assert {icon.headers["content-type"] for icon in icons} == {"image/png"}
    member.evaluate("navigator.serviceWorker.ready.then(() => true)")
    member.reload()
    kept = member.evaluate(
        """async () => {
            const names = await caches.keys();
            const shelves = await Promise.all(names.map((name) => caches.open(name)));
            const kept = await Promise.all(shelves.map((shelf) => shelf.keys()));
            return kept.flat().map((request) => new URL(request.url).pathname);
        }"""
    )
    assert "/app/offline" in kept
    assert [path for path in kept if not path.startswith(("/static/portal/", "/app/offline"))] == []


def test_work_that_ends_elsewhere_is_told_on_the_open_page(member: Page) -> None:
    member.goto("/app/create")
    member.get_by_label("Prompt", exact=True).fill("a slow one")
    member.get_by_label("Width").fill("64")
    member.get_by_label("Height").fill("64")
    member.get_by_role("button", name="Draw", exact=True).click()
    expect(member.locator("#status")).to_contain_text("Drawing", timeout=60_000)
    member.goto("/app/account")
    toast = member.locator("#toasts a")
    expect(toast).to_contain_text("Images: done. a slow one", timeout=60_000)


# Everybody, everywhere


def test_a_hostile_prompt_is_only_text(pocket: Page) -> None:
    draw(pocket, HOSTILE)
    assert not is_wider_than_its_window(pocket)
    pocket.goto("/app/images")
    pocket.locator("#found button.tile").first.click()
    expect(pocket.locator("#picture .prompt")).to_contain_text("<script>")
    assert not is_wider_than_its_window(pocket)
    box = pocket.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    inside = "one => one.scrollWidth <= one.clientWidth"
    assert pocket.get_by_role("dialog").evaluate(inside)
    assert pocket.title() == "Images · Dream Forge"


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_is_whole_for_everybody(browser: Browser, forge: Forge, view: str) -> None:
    found: dict[str, Any] = {}
    with visit(browser, forge.base, reduced_motion="reduce", **VIEWS[view]) as page:
        page.goto("/app/sign-in")
        found["sign-in"] = [*barriers(page), is_wider_than_its_window(page)]
        sign_in(page, MEMBER)
        draw(page, "a still life with a lamp")
        for name in PAGES:
            page.goto(f"/app/{name}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=SCREENSHOTS / f"portal-{name or 'home'}-{view}.png")
            found[name] = [*barriers(page), is_wider_than_its_window(page)]
    assert found == {name: [False] for name in ("sign-in", *PAGES)}


def test_what_is_touched_is_large_enough_for_a_finger(pocket: Page) -> None:
    found: dict[str, Any] = {}
    for name in PAGES:
        pocket.goto(f"/app/{name}")
        pocket.wait_for_load_state("networkidle")
        found[name] = portal.too_small(pocket)
    assert found == {name: [] for name in PAGES}
