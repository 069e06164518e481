"""The first page of the admin: what it tells, to whom, and what it costs."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import strip_tags

from downloader.hub.models import Repo, Snapshot
from downloader.models import Download
from dreamforge_site.accounts.models import User
from dreamforge_site.dashboard import figures, keeping, trends
from jobs import queueing, submission
from jobs.admin.live import HEADER
from jobs.models import Job, Worker
from jobs.states import TERMINAL
from registry import auditing
from registry.models import Model
from tests.callers import staff
from tests.registry.conftest import a_model

LIVE = {HEADER: "1"}
# However many rows there are. Sessions, rights, the figures, the charts, the two feeds.
MOST_QUERIES = 45


def a_job(status: str, *, hours_ago: float = 1.0, **facts: Any) -> Job:
    made = timezone.now() - timedelta(hours=hours_ago)
    told: dict[str, Any] = {"created_at": made, "available_at": made, "queue": "gpu"}
    told |= {"type": "generate", "status": status}
    if status != "queued":
        told |= {"started_at": made + timedelta(seconds=2), "attempts": 1}
    if status in TERMINAL:
        told |= {"finished_at": made + timedelta(seconds=12)}
    if status == "running":
        told |= {"lease_holder": "gpu@host/1"}
    return Job(**{**told, **facts})


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def charts(answer: Any) -> dict[str, Any]:
    told: dict[str, Any] = answer.context["charts"]
    return told


def test_jobs_are_counted_by_what_they_need(operator: Client) -> None:
    now = timezone.now()
    Job.objects.bulk_create(
        [
            a_job("queued"),
            a_job("running"),
            a_job("succeeded"),
            a_job("failed", dead_at=now),
            a_job("failed", dead_at=now, dead_resolved_at=now),
            a_job("failed", hours_ago=30),
        ]
    )
    work = operator.get("/admin/").context["work"]
    assert (work.queued, work.running, work.failed, work.dead) == (1, 1, 2, 1)


def test_a_job_that_failed_now_counts_though_it_was_made_days_ago(operator: Client) -> None:
    a_job("failed", hours_ago=50, finished_at=timezone.now()).save()
    assert operator.get("/admin/").context["work"].failed == 1


def test_models_and_what_is_saved_by_keeping_bytes_once(operator: Client) -> None:
    a_model("one", enable=True)
    a_model("two", enable=False)
    Model.objects.update(size_bytes=3000)
    repo = Repo.objects.create(author="a", name="b", revision="main")
    Snapshot.objects.create(repo=repo, commit="c" * 40, done_bytes=500)
    facts = operator.get("/admin/").context
    assert (facts["models"].installed, facts["models"].enabled) == (2, 1)
    assert facts["storage"]["saved_bytes"] == 6500


def test_the_rate_is_that_of_downloads_that_run_and_still_tell(operator: Client) -> None:
    now = timezone.now()
    jobs = [a_job(status, type="download") for status in ("running", "running", "succeeded")]
    Job.objects.bulk_create(jobs)
    Download.objects.create(job=jobs[0], rate_bps=700, updated_at=now)
    Download.objects.create(job=jobs[1], rate_bps=80, updated_at=now - timedelta(hours=1))
    Download.objects.create(job=jobs[2], rate_bps=9, updated_at=now)
    told = operator.get("/admin/").context["downloads"]
    assert (told.running, told.rate_bps) == (2, 700)


def test_devices_tell_which_model_they_hold_and_how_much_memory(operator: Client) -> None:
    model = a_model("held")
    gib = 2**30
    facts = {"label": "NVIDIA H100", "total": 80 * gib, "used": 13 * gib, "peak": 12 * gib}
    Worker.objects.create(
        id="gpu@host/1",
        queue="gpu",
        slots=2,
        devices=["3", "4"],
        device_facts={"3": facts},
        warm_models=[str(model.pk)],
    )
    page = " ".join(strip_tags(text(operator.get("/admin/"))).split())
    assert "Device 3 NVIDIA H100" in page
    assert "held in memory" in page
    assert "13.0 GiB of 80.0 GiB in use, 12.0 GiB at the peak" in page
    assert "Device 4 held in memory No driver tells of its memory" in page


def test_charts_show_the_day_by_the_hour(operator: Client) -> None:
    Job.objects.bulk_create(
        [*(a_job("succeeded") for _ in range(3)), a_job("failed"), a_job("canceled", hours_ago=23)]
    )
    fetched = a_job("succeeded", type="download")
    fetched.save()
    Download.objects.create(job=fetched, bytes_received=4096)
    told = charts(operator.get("/admin/"))
    assert sum(told["jobs"]["succeeded"]) == 4
    assert sum(told["jobs"]["failed"]) == 1
    assert sum(told["jobs"]["canceled"]) == 1
    assert sum(told["bytes"]["received"]) == 4096
    assert {2.0, None} == set(told["waited"]["p50"])
    assert {10.0, None} == set(told["ran"]["p95"])


def test_what_needs_a_hand_is_told_with_the_page_where_it_is_done(operator: Client) -> None:
    a_job("failed", dead_at=timezone.now()).save()
    a_job("failed", type="verify", queue="io").save()
    a_job("queued").save()
    lost, changed = a_model("lost"), a_model("changed", enable=None)
    Model.objects.filter(pk=lost.pk).update(installed=False, enabled=False)
    Model.objects.filter(pk=changed.pk).update(enabled=False, trust="mismatch")
    Repo.objects.create(author="a", name="gone", revision="main", gone_at=timezone.now())
    Repo.objects.create(author="a", name="new", revision="main", update_commit="d" * 40)
    queueing.pause("io")
    told = operator.get("/admin/").context["troubles"]
    assert [trouble.title for trouble in told] == [
        "1 job used up its attempts",
        "Work waits in a queue without workers",
        "1 model differs from its source",
        "1 model is not where it was installed",
        "1 verification failed today",
        "1 repository vanished at its source",
        "1 repository has an update",
        "A queue is paused",
    ]
    answers = {t.title: operator.get(t.where).status_code for t in told if t.where}
    assert set(answers.values()) == {200}
    assert "1 job used up its attempts" in answers


def test_low_space_is_told(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "disk", lambda: figures.Disk(10, 5, 0))
    [low] = operator.get("/admin/").context["troubles"]
    assert low.title == "Only 5 B are free for models"
    assert low.level == "danger"


def test_a_share_that_does_not_answer_leaves_the_page_standing(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> figures.Disk:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(figures, "_look_at_disk", fail)
    assert "unknown" in text(operator.get("/admin/"))


def test_nothing_needs_a_hand_on_a_quiet_day(operator: Client) -> None:
    assert "Nothing needs a hand" in text(operator.get("/admin/"))


@pytest.mark.parametrize(
    ("rights", "seen"),
    [
        ((), set()),
        (("view_job",), {"work", "latest_jobs"}),
        (("view_model",), {"models", "storage"}),
        (("view_download",), {"downloads"}),
        (("view_worker",), {"queues", "devices"}),
        (("view_logentry",), {"latest_actions"}),
    ],
)
def test_each_card_is_for_those_who_may_see_it(
    db: None, rights: tuple[str, ...], seen: set[str]
) -> None:
    a_job("failed", dead_at=timezone.now()).save()
    facts = staff("somebody", rights=rights).get("/admin/").context
    cards = ("work", "models", "storage", "downloads", "queues", "devices")
    feeds = ("latest_jobs", "latest_actions")
    assert {name for name in (*cards, *feeds) if facts[name] is not None} == seen
    assert bool(facts["troubles"]) == ("view_job" in rights)
    assert ("jobs" in facts["charts"]) == ("view_job" in rights)


def test_people_who_are_no_staff_see_nothing_of_it(db: None) -> None:
    User.objects.create_user("mira", password="a long enough one")
    browser = Client()
    browser.force_login(User.objects.get())
    answers = [browser.get("/admin/"), browser.get("/admin/", headers=LIVE)]
    assert [answer.status_code for answer in answers] == [302, 302]


def test_the_live_parts_are_the_pages_own_without_the_rest(operator: Client) -> None:
    a_job("running").save()
    whole, parts = operator.get("/admin/"), operator.get("/admin/", headers=LIVE)
    assert "no-store" in parts["Cache-Control"]
    body = text(parts)
    assert "<html" not in body
    names = {piece.split('"')[0] for piece in body.split('data-live="')[1:]}
    assert {"work", "models", "storage", "troubles", "latest-jobs", "charts"} <= names
    shown = text(whole)
    assert [name for name in names if f'data-live="{name}"' not in shown] == []


def test_hostile_words_are_inert(operator: Client) -> None:
    hostile = "</script><script>alert(1)</script>"
    user = User.objects.get()
    a_job("failed", params={"prompt": hostile}, error_message=hostile).save()
    queueing.pause("io", hostile)
    LogEntry.objects.log_actions(user.pk, User.objects.all(), CHANGE, hostile, single_object=True)
    page = text(operator.get("/admin/"))
    assert "<script>alert(1)" not in page
    assert page.count("&lt;script&gt;alert(1)") == 2


@pytest.fixture
def crowded(db: None) -> None:
    """10,000 of each: jobs of the last day, models, repositories, lines of the admin's log."""
    states = ("succeeded", "failed", "canceled", "queued")
    jobs = [a_job(states[n % 4], hours_ago=24 * n / 10_000) for n in range(10_000)]
    Job.objects.bulk_create(jobs, batch_size=500)
    one = a_model("one", enable=False)
    facts = Model.objects.filter(pk=one.pk).values()[0]
    Model.objects.bulk_create(
        [Model(**{**facts, "id": uuid.uuid4(), "version": f"v{n}"}) for n in range(10_000)],
        batch_size=500,
    )
    Repo.objects.bulk_create(
        [Repo(author="a", name=f"n{n}", revision="main") for n in range(10_000)], batch_size=500
    )


def queries_of_a_look(browser: Client) -> list[str]:
    keeping.forget()
    with CaptureQueriesContext(connection) as made:
        text(browser.get("/admin/"))
    return [query["sql"] for query in made.captured_queries]


def test_a_look_costs_as_many_queries_whatever_the_tables_hold(
    operator: Client, request: pytest.FixtureRequest
) -> None:
    few = queries_of_a_look(operator)
    request.getfixturevalue("crowded")
    many = queries_of_a_look(operator)
    assert len(many) == len(few)
    assert len(many) <= MOST_QUERIES


def test_a_second_look_within_moments_asks_the_tables_nothing(operator: Client) -> None:
    operator.get("/admin/")
    with CaptureQueriesContext(connection) as made:
        operator.get("/admin/", headers=LIVE)
    counting = [
        q["sql"] for q in made.captured_queries if "COUNT(" in q["sql"] or "SUM(" in q["sql"]
    ]
    assert counting == []


def test_the_database_and_the_page_name_the_same_hours(operator: Client) -> None:
    """On either database: the hour comes from the database, its place on the axis from us."""
    a_job("succeeded", hours_ago=0.001).save()
    told = trends.jobs()
    assert told.outcomes["succeeded"][-2:] in ([0, 1], [1, 0])


def test_chart_data_is_json_that_no_markup_can_leave(operator: Client) -> None:
    a_job("succeeded").save()
    body = text(operator.get("/admin/", headers=LIVE))
    start = body.index('type="application/json">') + len('type="application/json">')
    told = json.loads(body[start : body.index("</script>", start)])
    assert set(told) == {"jobs", "waited", "ran", "bytes"}


def test_what_people_did_leads_to_the_thing_while_it_is_there(operator: Client) -> None:
    by = User.objects.get()
    queueing.pause("io", by=by)
    job, gone = a_job("queued"), a_job("queued")
    Job.objects.bulk_create([job, gone])
    submission.cancel(job, by=by)
    submission.cancel(gone, by=by)
    gone.delete()
    auditing.note_place(Download, "Quarantine", by, "discarded.")
    assert [address for _, address in latest(operator)] == [
        "",
        "",
        f"/admin/jobs/job/{job.pk}/change/",
        "/admin/jobs/queue/io/change/",
    ]
    assert f'<a href="/admin/jobs/job/{job.pk}/change/"' in text(operator.get("/admin/"))


def test_what_somebody_may_not_see_has_no_link(db: None) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_logentry"))
    queueing.pause("io", by=user)
    browser = Client()
    browser.force_login(user)
    assert [address for _, address in latest(browser)] == [""]


def latest(browser: Client) -> Any:
    keeping.forget()
    return browser.get("/admin/").context["latest_actions"]
