"""Pages that look by themselves: what they say of an error that passes, and what becomes of an
answer that comes too late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import WAIT_MS, WINDOW, sign_in
from tests.browser.seeding import OPERATOR, id_of
from tests.live import LiveSite

pytestmark = [pytest.mark.pure, pytest.mark.live]

LIST = "**/v1/hub/models?*"
WHOLE = id_of("repo whole")
REPOSITORY = f"/app/repositories/{WHOLE}"
SYNC = "**/v1/hub/sync"
BUSY = {"code": "infra_unavailable", "message": "The database is busy.", "details": {}}
GONE = {"code": "not_found", "message": "There is no such thing here.", "details": {}}
LOOK_MS = 8500  # longer than any page waits before its next look


@pytest.fixture
def page(browser: Browser, busy_site: LiveSite) -> Iterator[Page]:
    """An operator's, with time that can be moved on, and without the watch over its console."""
    context = browser.new_context(base_url=busy_site.base_url, viewport=WINDOW)
    context.set_default_timeout(WAIT_MS)
    made = context.new_page()
    made.clock.install()
    sign_in(made, OPERATOR, "/app/")
    yield made
    made.unroute_all(behavior="ignoreErrors")
    context.close()


def answer(status: int, told: dict[str, Any]) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, json=told)


def hold(page: Page, path: str) -> list[Route]:
    """Filled with what is asked there, which waits for its answer."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(path, keep)
    return held


def settle(page: Page) -> None:
    """Over when the page has done what follows from the answers that it has."""
    page.evaluate("fetch('/v1/version').then((answer) => answer.text())")


def later(page: Page) -> None:
    page.clock.run_for(LOOK_MS)


def test_an_error_goes_when_the_next_look_succeeds(page: Page) -> None:
    page.goto("/app/repositories")
    expect(page.locator("#found > li").first).to_be_visible()
    page.route(LIST, answer(503, BUSY))
    later(page)
    expect(page.locator("#problem")).to_contain_text("The database is busy.")
    page.unroute(LIST)
    later(page)
    expect(page.locator("#problem")).to_be_empty()


def test_what_a_button_was_refused_stays_while_looks_succeed(page: Page) -> None:
    refused = {"code": "invalid_state", "message": "Not while it is moved.", "details": {}}
    page.route(SYNC, answer(409, refused))
    page.goto(REPOSITORY)
    page.get_by_role("button", name="Sync", exact=True).click()
    expect(page.locator("#problem")).to_contain_text("Not while it is moved.")
    with page.expect_response(f"**/v1/hub/models/{WHOLE}"):
        later(page)
    settle(page)
    expect(page.locator("#problem")).to_contain_text("Not while it is moved.")


def test_a_list_that_did_not_load_is_shown_by_the_next_look(page: Page) -> None:
    asked: list[str] = []

    def small_pages(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=503, json=BUSY)
        else:
            route.continue_(url=route.request.url.replace("limit=40", "limit=2"))

    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    page.route(LIST, small_pages)
    page.goto("/app/repositories")
    expect(page.locator("#problem")).to_contain_text("The database is busy.")
    settle(page)
    assert len(asked) == 1
    later(page)
    expect(page.locator("#problem")).to_be_empty()
    expect(page.locator("#found > li")).to_have_count(2)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#found > li")).to_have_count(4)


def test_downloads_that_did_not_load_are_shown_by_the_next_look(page: Page) -> None:
    asked: list[str] = []

    def one_each(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=503, json=BUSY)
        else:
            route.continue_(url=route.request.url.replace("limit=30", "limit=1"))

    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    page.route("**/v1/downloads?*", one_each)
    page.goto("/app/downloads")
    expect(page.locator("#problem")).to_contain_text("The database is busy.")
    later(page)
    expect(page.locator("#problem")).to_be_empty()
    expect(page.locator("#found > li")).to_have_count(1)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#found > li")).to_have_count(2)


def test_a_first_page_is_asked_for_once(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    page.goto("/app/repositories")
    expect(page.locator("#found > li").first).to_be_visible()
    settle(page)
    assert len([url for url in asked if "/v1/hub/models?" in url]) == 1


def at_work(route: Route, *, without: str = "") -> None:
    """The list as it is, with work on all of it; `without`: less this one."""
    told = route.fetch().json()
    work = {"job_id": None, "kind": "sync", "status": "running", "progress": 0.5}
    told["models"] = [{**one, "work": work} for one in told["models"] if one["id"] != without]
    route.fulfill(json=told)


def test_a_repository_that_was_forgotten_at_work_leaves_the_list(page: Page) -> None:
    page.route(LIST, at_work)
    page.goto("/app/repositories")
    row = page.locator("#found > li", has_text="forge/painter-xl")
    expect(row).to_contain_text("50 %")
    asked: list[str] = []

    def forgotten(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, json=GONE)

    page.route(f"**/v1/hub/models/{WHOLE}", forgotten)
    page.unroute(LIST)
    page.route(LIST, lambda route: at_work(route, without=WHOLE))
    later(page)
    expect(row).to_have_count(0)
    expect(page.locator("#found > li")).to_have_count(3)
    with page.expect_response(LIST):
        later(page)
    settle(page)
    assert len(asked) == 1
    expect(page.locator("#problem")).to_be_empty()


def test_a_look_from_before_a_press_enables_no_button(page: Page) -> None:
    queued = {"job_id": id_of("job queued"), "status": "queued", "message": "It waits."}
    page.route(SYNC, answer(202, queued))
    page.goto(REPOSITORY)
    sync = page.get_by_role("button", name="Sync", exact=True)
    expect(sync).to_be_enabled()
    held = hold(page, f"**/v1/hub/models/{WHOLE}")
    with page.expect_request(f"**/v1/hub/models/{WHOLE}"):
        later(page)
    sync.click()
    expect(page.locator("#work-line")).to_contain_text("waiting")
    with page.expect_response(f"**/v1/hub/models/{WHOLE}"):
        held[0].continue_()
    settle(page)
    expect(page.locator("#work-line")).to_be_visible()
    expect(sync).to_be_disabled()


def place(repo: str) -> dict[str, Any]:
    return {"author": "forge", "repo": repo, "revision": "main", "path": None}


@pytest.mark.parametrize(("status", "told"), [(200, {"licence": "of the slow one"}), (503, BUSY)])
def test_the_card_of_another_repository_comes_too_late(
    page: Page, status: int, told: dict[str, Any]
) -> None:
    """Both at `main`, as most are."""
    page.route("**/v1/hf/refs?*", answer(200, {"branches": [{"name": "main"}], "tags": []}))
    page.route("**/v1/hf/tree?*", answer(200, {"files": [], "next_cursor": None}))
    held = hold(page, "**/v1/hf/repo?*repo=slow*")
    page.route("**/v1/hf/repo?*repo=quick*", answer(200, {"licence": "of the quick one"}))
    page.goto("/app/add")
    for repo in ("slow", "quick"):
        page.route("**/v1/hf/parse-url", answer(200, place(repo)))
        page.get_by_label("Address of a repository").fill(f"forge/{repo}")
        page.keyboard.press("Enter")
        expect(page.locator("#repository-title")).to_have_text(f"forge/{repo}")
    expect(page.locator("#facts-line")).to_have_text("licence of the quick one")
    with page.expect_response("**/v1/hf/repo?*repo=slow*"):
        held[0].fulfill(status=status, json=told)
    settle(page)
    expect(page.locator("#facts-line")).to_have_text("licence of the quick one")


def test_a_network_that_is_back_is_no_stream_that_is(page: Page) -> None:
    page.route("**/progress/stream*", lambda route: route.abort())
    page.goto(f"/app/create#job={id_of('job running')}")
    expect(page.locator("#status")).not_to_be_empty()
    later(page)
    expect(page.locator("#away")).to_contain_text("The service cannot be reached")
    page.evaluate("dispatchEvent(new Event('offline')); dispatchEvent(new Event('online'))")
    expect(page.locator("#away")).to_contain_text("The service cannot be reached")
    page.unroute("**/progress/stream*")
    later(page)
    expect(page.locator("#away")).to_be_empty()


LOOKED_AT = "document.dispatchEvent(new Event('visibilitychange'))"
TURN = """async (before) => {
    const { held, pending } = await navigator.locks.query();
    const teller = held[0]?.clientId;
    const waits = (id) => pending.some((one) => one.clientId === id);
    const isOver = teller && teller !== before && (!before || waits(before));
    return isOver ? { teller, pending: pending.length } : null;
}"""


def test_going_to_and_fro_between_tabs_leaves_one_request_each(page: Page) -> None:
    page.goto("/app/account")
    other = page.context.new_page()
    other.goto("/app/account")
    turn: dict[str, Any] = {"teller": ""}
    waiting = []
    for one in (page, other, page, other, page):
        one.evaluate(LOOKED_AT)
        turn = page.wait_for_function(TURN, arg=turn["teller"]).json_value()
        waiting.append(turn["pending"])
    assert waiting[1:] == [1, 1, 1, 1]
