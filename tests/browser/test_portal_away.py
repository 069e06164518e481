"""The portal while the service behind it is away: it says so, and goes on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.browser.conftest import WAIT_MS
from tests.browser.portal import World, as_staff, begin, sign_in
from tests.dreamforge_site.supervisor.supervised import children_of
from tests.hubs import models
from tests.live import ADMIN

pytestmark = [pytest.mark.pure, pytest.mark.live]

AWAY = "The service cannot be reached"


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
