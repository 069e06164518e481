"""Jobs as an operator follows and handles them: real server, real worker, real browser."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import post, sign_in, visit
from tests.browser.portal import door_of
from tests.browser.seeding import VIEWER, id_of
from tests.live import LiveSite

JOBS = "/admin/jobs/job/"
WITHIN_MS = 30_000
# A few seconds of work, and work that lasts until somebody ends it.
SHORT = {"type": "selftest", "items": 2, "ticks": 20, "tick_ms": 100}
LONG = {"type": "selftest", "items": 1, "ticks": 1000, "tick_ms": 100}
DEAD = """
from django.utils import timezone
from jobs.models import Job
now = timezone.now()
made = [
    Job.objects.create(
        type="selftest", queue="io", status="failed", attempts=3, params={params}, dead_at=now,
        finished_at=now, started_at=now, error_code="worker_lost", error_message="It is gone.",
    )
    for _ in range({count})
]
print(*(job.pk for job in made))
"""


def submit(page: Page, body: dict[str, Any]) -> str:
    return str(post(page, "/v1/jobs", body)["job"]["id"])


def dead_letters(site: LiveSite, count: int) -> list[str]:
    params = {"items": 1, "ticks": 1, "tick_ms": 0}
    said = site.manage("shell", "--verbosity=0", "-c", DEAD.format(params=params, count=count))
    return said.stdout.split()


def logged(page: Page, code: str) -> Any:
    return page.locator("#log td.df-log-code", has_text=code)


def test_a_job_is_followed_to_its_end_without_loading_the_page_again(at_work: Page) -> None:
    at_work.goto(f"{JOBS}{submit(at_work, SHORT)}/change/")
    at_work.evaluate("window.marked = true")
    head = at_work.locator("[data-live=head]")
    expect(head.locator(".df-state-running")).to_be_visible()
    expect(head.locator(".df-state-succeeded")).to_be_visible(timeout=WITHIN_MS)
    expect(logged(at_work, "job.finish")).to_have_count(1)
    expect(at_work.locator(".df-timeline")).to_contain_text("Succeeded")
    expect(at_work.locator("[data-live=ending]")).to_contain_text('"completed": 2')
    expect(at_work.locator("[data-live-state]")).to_have_text("The job has ended")
    numbers = [int(row.get_attribute("data-seq") or 0) for row in at_work.locator("#log tr").all()]
    assert numbers == sorted(set(numbers))
    assert at_work.evaluate("window.marked")


def test_a_running_job_is_canceled_by_its_button(at_work: Page) -> None:
    at_work.goto(f"{JOBS}{submit(at_work, LONG)}/change/")
    expect(at_work.locator(".df-state-running").first).to_be_visible()
    at_work.get_by_role("button", name="Cancel").click()
    expect(at_work.locator("[data-live=head] .df-state-canceled")).to_be_visible(timeout=WITHIN_MS)
    expect(at_work.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(at_work.get_by_role("button", name="Requeue", exact=True)).to_be_visible()


def test_rows_of_the_list_follow_their_jobs(at_work: Page) -> None:
    job = submit(at_work, LONG)
    at_work.goto(JOBS)
    row = at_work.locator("#result_list tr", has=at_work.locator(f"a[href*='{job}']"))
    expect(row.locator(".field-state")).to_have_text("running", timeout=WITHIN_MS)
    post(at_work, f"/v1/jobs/{job}/cancel", {})
    expect(row.locator(".field-state")).to_have_text("canceled", timeout=WITHIN_MS)
    submit(at_work, {**SHORT, "ticks": 1})
    note = at_work.get_by_role("status").filter(has_text="1 new job: show")
    expect(note).to_be_visible(timeout=WITHIN_MS)


def test_dead_letters_are_requeued_in_bulk(at_work: Page, working_site: LiveSite) -> None:
    letters = dead_letters(working_site, 3)
    at_work.goto(f"{JOBS}?dead=open")
    expect(at_work.locator("#result_list tbody")).to_have_count(3)
    at_work.locator("#action-toggle").check()
    at_work.locator("select[name=action]").select_option("requeue")
    at_work.get_by_role("button", name="Run", exact=True).click()
    expect(at_work.get_by_text("3 requeued.")).to_be_visible()
    expect(at_work.locator("#result_list tbody")).to_have_count(0)
    at_work.goto(f"{JOBS}{letters[0]}/change/")
    expect(at_work.get_by_text("Requeued as")).to_be_visible()
    expect(at_work.get_by_role("button", name="Discard")).to_have_count(0)


def test_a_dead_letter_is_edited_and_requeued(at_work: Page, working_site: LiveSite) -> None:
    [letter] = dead_letters(working_site, 1)
    at_work.goto(f"{JOBS}{letter}/change/")
    at_work.get_by_role("link", name="Edit and requeue").click()
    field = at_work.get_by_label("Parameters")
    params = json.loads(field.input_value())
    field.fill(json.dumps({**params, "items": 0}))
    at_work.get_by_role("button", name="Requeue").click()
    expect(at_work.get_by_text("items: ")).to_be_visible()
    field.fill(json.dumps({**params, "items": 2}))
    at_work.get_by_role("button", name="Requeue").click()
    expect(at_work.locator("[data-live=head] .df-state-succeeded")).to_be_visible(timeout=WITHIN_MS)
    expect(at_work.locator("[data-live=ending]")).to_contain_text('"completed": 2')
    at_work.goto(f"{JOBS}{letter}/history/")
    expect(at_work.get_by_text("; items: 1 → 2.")).to_be_visible()


def test_a_queue_is_paused_drained_and_resumed(at_work: Page) -> None:
    job = submit(at_work, LONG)
    at_work.goto("/admin/jobs/queue/")
    queue = at_work.locator("[data-live=queue-io]")
    expect(queue.locator(".df-numbers > div", has_text="Running")).to_contain_text("1")
    queue.get_by_label("Reason for pausing io").fill("a new disk")
    queue.get_by_role("button", name="Pause and drain").click()
    expect(queue).to_contain_text("draining")
    expect(queue).to_contain_text("a new disk")
    post(at_work, f"/v1/jobs/{job}/cancel", {})
    expect(queue).to_contain_text("paused, drained", timeout=WITHIN_MS)
    queue.get_by_role("button", name="Resume").click()
    expect(queue).to_contain_text("open")


def test_a_reason_that_is_being_typed_survives_the_renewal(at_work: Page) -> None:
    at_work.goto("/admin/jobs/queue/")
    queue = at_work.locator("[data-live=queue-io]")
    running = queue.locator(".df-numbers > div", has_text="Running").locator("dd")
    expect(running).to_have_text("0", timeout=WITHIN_MS)
    field = queue.get_by_label("Reason for pausing io")
    field.press_sequentially("a new")
    job = submit(at_work, LONG)
    expect(running).to_have_text("1", timeout=WITHIN_MS)
    expect(field).to_have_value("a new")
    expect(field).to_be_focused()
    post(at_work, f"/v1/jobs/{job}/cancel", {})


def test_images_are_shown_small_and_load(operator: Page) -> None:
    operator.goto(f"{JOBS}{id_of('job drawn')}/change/")
    images = operator.locator(".df-images img")
    expect(images).to_have_count(4)
    images.last.scroll_into_view_if_needed()
    operator.wait_for_load_state("networkidle")
    widths = operator.evaluate(
        "[...document.querySelectorAll('.df-images img')].map((image) => image.naturalWidth)"
    )
    assert widths == [256] * 4
    doors = [door_of(image) for image in images.all()]
    assert doors == ["file", "thumbnail", "thumbnail", "thumbnail"]


def test_hostile_words_stay_words(operator: Page) -> None:
    operator.goto(f"{JOBS}{id_of('job dead')}/change/")
    expect(operator.locator(".df-error")).to_contain_text("<script>")
    expect(operator.locator("#content img")).to_have_count(0)
    assert "taken" not in operator.title()


def test_progress_lines_are_shown_when_asked_for(operator: Page) -> None:
    operator.goto(f"{JOBS}{id_of('job dead')}/change/")
    line = operator.locator("#log tr.df-log-progress").first
    expect(line).to_be_hidden()
    operator.get_by_label("Show progress lines").check()
    expect(line).to_be_visible()


def test_a_viewer_reads_a_job_and_neither_acts_nor_sees_tracebacks(
    browser: Browser, busy_site: LiveSite
) -> None:
    with visit(browser, busy_site.base_url) as page:
        sign_in(page, VIEWER, f"{JOBS}{id_of('job dead')}/change/")
        expect(page.locator("#log")).to_contain_text("job.finish")
        expect(page.locator("#content button")).to_have_count(0)
        expect(page.get_by_text("Traceback")).to_have_count(0)
        page.goto("/admin/jobs/queue/")
        expect(page.locator("#content button")).to_have_count(0)
