"""Jobs, queues, workers and task results in the admin, as people with different rights see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django_celery_results.models import TaskResult
from pytest_django import DjangoAssertNumQueries

from dreamforge_site.accounts.models import User
from jobs import events, kinds, lifecycle, queueing
from jobs.admin import words
from jobs.errors import Failure
from jobs.events import Note
from jobs.models import Job, Queue, Worker
from jobs.states import State
from registry.admin import longlists, telling
from tests.callers import staff
from tests.jobs import invariants
from tests.jobs.api.conftest import a_job

JOBS = "/admin/jobs/job/"
HOSTILE = "<script>alert(1)</script>{{7*7}}\x1b[31m"


@pytest.fixture
def operator(db: None) -> Client:
    return staff("operator", "operators")


@pytest.fixture
def viewer(db: None) -> Client:
    return staff("viewer", "viewers")


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def act(browser: Client, action: str, *jobs: Job, **more: str) -> Any:
    ids = [str(job.pk) for job in jobs]
    form = {"action": action, "_selected_action": ids, "index": "0", **more}
    return browser.post(JOBS, form)


def logged() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def test_the_list_shows_what_an_operator_looks_for(operator: Client, mira: User) -> None:
    a_job(mira, State.FAILED)
    page = text(operator.get(JOBS))
    assert "mira" in page
    assert "failed" in page
    assert "oom" in page
    assert "1/3" in page


def test_the_list_says_what_each_job_is_about(operator: Client, mira: User) -> None:
    told: tuple[dict[str, str], ...] = (
        {"prompt": f"a  fox {'w' * 200}", "ref": "hf:a/b"},
        {"prompt": "", "ref": "hf:a/b"},
        {},
    )
    Job.objects.bulk_create(
        Job(type="selftest", queue="io", owner=mira, params=params) for params in told
    )
    shown = operator.get(JOBS).context["cl"].result_list
    found = {words.short(row.subject) for row in shown}
    assert found == {f"a fox {'w' * 113}…", "hf:a/b", ""}
    assert found == {words.subject(row) for row in Job.objects.all()}


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("status__exact=queued", {"queued"}),
        ("dead=open", {"failed"}),
        ("dead=settled", set()),
        ("type=selftest", {"queued", "failed"}),
        ("queue=gpu", set()),
        ("queue=io&status__exact=failed", {"failed"}),
    ],
)
def test_the_list_is_filtered(operator: Client, mira: User, query: str, states: set[str]) -> None:
    a_job(mira), a_job(mira, "dead")
    answer = operator.get(f"{JOBS}?{query}")
    assert {job.status for job in answer.context["cl"].result_list} == states


def test_a_search_finds_by_id_owner_and_request(operator: Client, mira: User) -> None:
    job, _other = a_job(mira), a_job(None)
    Job.objects.filter(id=job.pk).update(request_id="client-7")
    terms = [str(job.pk), job.pk.hex, "MIRA", " client-7 "]
    found = [operator.get(JOBS, {"q": term}).context["cl"].result_list for term in terms]
    assert [[row.pk for row in result] for result in found] == [[job.pk]] * 4
    none = operator.get(JOBS, {"q": "' OR 1=1 --"}).context["cl"].result_list
    assert list(none) == []


def test_a_list_costs_the_same_however_many_jobs_there_are(
    operator: Client, mira: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        a_job(mira)
    with django_assert_max_num_queries(8) as made:
        assert len(operator.get(JOBS).context["cl"].result_list) == 12
    listing = [query["sql"] for query in made.captured_queries if "progress_state" in query["sql"]]
    assert listing == []


def test_a_list_is_counted_no_further_than_anybody_pages(
    operator: Client, mira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        a_job(mira)
    monkeypatch.setattr(longlists, "COUNTED", 3)
    shown = operator.get(JOBS).context["cl"]
    assert (shown.result_count, shown.is_counted) == (3, False)


def test_a_job_is_shown_with_its_steps_events_and_parameters(operator: Client, mira: User) -> None:
    job = a_job(mira, items=7)
    lease = lifecycle.start(job.pk, "worker-one")
    assert lease is not None
    lifecycle.fail(lease, Failure("internal", "It broke.", detail="Traceback: line 1"))
    page = text(operator.get(f"{JOBS}{job.pk}/change/"))
    assert "&quot;items&quot;: 7" in page
    assert "Traceback: line 1" in page
    assert page.index("job.queued") < page.index("job.start") < page.index("job.finish")
    assert 'name="_save"' not in page


def test_a_long_history_is_cut_and_the_newest_is_last(
    operator: Client, mira: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    job = a_job(mira)
    events.append(job.pk, [Note("note", f"line-{number};") for number in range(300)])
    with django_assert_max_num_queries(18):
        page = text(operator.get(f"{JOBS}{job.pk}/change/"))
    assert "line-99;" not in page
    assert page.index("line-100;") < page.index("line-299;")
    assert f"/v1/jobs/{job.pk}/logs" in page


def test_hostile_text_is_inert(operator: Client, mira: User) -> None:
    job = a_job(mira)
    events.append(job.pk, [Note("note", HOSTILE, payload={"x": HOSTILE})])
    hurt = {"error_message": HOSTILE, "error_detail": HOSTILE, "params": {"text": HOSTILE}}
    Job.objects.filter(id=job.pk).update(**hurt, request_id="r")
    queueing.pause("io", HOSTILE)
    pages = [
        text(operator.get(path)) for path in (JOBS, f"{JOBS}{job.pk}/change/", "/admin/jobs/queue/")
    ]
    assert ["<script>alert(1)" in page for page in pages] == [False] * 3
    assert ["&lt;script&gt;alert(1)" in page for page in pages] == [False, True, True]


def test_the_buttons_are_those_that_would_do_something(operator: Client, mira: User) -> None:
    states = (State.QUEUED, State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELED, "dead")
    offered = {
        state: [
            action
            for action, _ in operator.get(f"{JOBS}{a_job(mira, state).pk}/change/").context[
                "buttons"
            ]
        ]
        for state in states
    }
    assert offered == {
        "queued": ["cancel"],
        "running": ["cancel"],
        "succeeded": [],
        "failed": ["requeue"],
        "canceled": ["requeue"],
        "dead": ["requeue", "discard"],
    }


def test_a_button_on_a_jobs_page_acts_and_comes_back(operator: Client, mira: User) -> None:
    job = a_job(mira)
    page = text(operator.get(f"{JOBS}{job.pk}/change/"))
    assert f'name="_selected_action" value="{job.pk}"' in page
    answer = act(operator, "cancel", job, _stay="1")
    assert (answer.status_code, answer["Location"]) == (302, f"{JOBS}{job.pk}/change/")
    assert Job.objects.get().status == State.CANCELED
    assert logged() == ["canceled: queued → canceled."]


def test_bulk_actions_do_what_they_can_and_tell_the_rest(operator: Client, mira: User) -> None:
    queued, over = a_job(mira), a_job(mira, State.SUCCEEDED)
    answer = act(operator, "cancel", queued, over)
    told = [str(message) for message in answer.wsgi_request._messages]
    assert told[0] == "1 canceled."
    assert str(over.pk) in told[1]
    assert len(told) == 2
    assert logged() == ["canceled: queued → canceled."]
    Job.objects.filter(id=over.pk).delete()
    invariants.check()


def test_a_requeue_leads_to_the_new_job_and_keeps_the_owner(operator: Client, mira: User) -> None:
    old = a_job(mira, "dead")
    answer = act(operator, "requeue", old, _stay="1")
    new = Job.objects.get(requeued_from=old)
    assert answer["Location"] == f"{JOBS}{new.pk}/change/"
    assert new.owner == mira
    assert not Job.objects.dead().exists()
    assert logged() == [f"requeued as {new.pk}: dead letter → settled dead letter."]


def test_all_dead_letters_are_requeued_or_discarded_in_bulk(operator: Client, mira: User) -> None:
    letters = [a_job(mira, "dead") for _ in range(4)]
    act(operator, "requeue", *letters[:2])
    act(operator, "discard", *letters[2:])
    assert not Job.objects.dead().exists()
    assert Job.objects.filter(requeued_from__in=letters).count() == 2
    assert len(logged()) == 4


def test_a_letter_is_settled_once(operator: Client, mira: User) -> None:
    letter = a_job(mira, "dead")
    act(operator, "discard", letter)
    answer = act(operator, "discard", letter)
    assert "not on the list" in str(list(answer.wsgi_request._messages)[-1])
    assert logged() == ["discarded: dead letter → settled dead letter."]


def test_an_action_takes_a_bounded_number_of_jobs(
    operator: Client, mira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "AT_ONCE", 2)
    answer = act(operator, "cancel", *[a_job(mira) for _ in range(3)])
    assert Job.objects.filter(status=State.CANCELED).count() == 2
    assert "at most 2 at once" in str(next(iter(answer.wsgi_request._messages)))


def test_parameters_are_changed_on_a_page_of_their_own(operator: Client, mira: User) -> None:
    old = a_job(mira, "dead", items=3, ticks=9)
    address = f"{JOBS}{old.pk}/requeue/"
    assert address in text(operator.get(f"{JOBS}{old.pk}/change/"))
    assert "&quot;items&quot;: 3" in text(operator.get(address))
    answer = operator.post(address, {"params": '{"items": 1}'})
    new = Job.objects.get(requeued_from=old)
    assert answer["Location"] == f"{JOBS}{new.pk}/change/"
    assert new.params == {"items": 1, "ticks": 9, "tick_ms": 0}
    [line] = logged()
    moved = "dead letter → settled dead letter"
    assert line == f"requeued as {new.pk}: {moved}; items: 3 → 1."


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ('{"items": 0}', "items: "),
        ('{"itms": 1}', "itms: Unknown field."),
        ("[1]", "Must be a JSON object."),
        ("{", "Enter a valid JSON."),
        ("", "This field is required."),
        ('{"items": NaN}', "items: "),
    ],
)
def test_wrong_parameters_are_shown_again(
    operator: Client, mira: User, params: str, complaint: str
) -> None:
    old = a_job(mira, "dead")
    page = text(operator.post(f"{JOBS}{old.pk}/requeue/", {"params": params}))
    assert complaint in page
    assert Job.objects.count() == 1
    assert Job.objects.dead().exists()


def test_a_viewer_sees_everything_and_no_button(viewer: Client, mira: User) -> None:
    job = a_job(mira, "dead")
    Job.objects.filter(id=job.pk).update(error_detail="Traceback: secret")
    page = viewer.get(f"{JOBS}{job.pk}/change/")
    assert page.context["buttons"] == []
    assert "Traceback: secret" not in text(page)
    assert 'name="action"' not in text(viewer.get(JOBS))
    assert "Pause" not in text(viewer.get("/admin/jobs/queue/"))
    act(viewer, "requeue", job)
    refused = [
        viewer.post(f"{JOBS}{job.pk}/requeue/", {"params": "{}"}),
        viewer.post("/admin/jobs/queue/", {"queue": "io", "action": "pause"}),
    ]
    assert [answer.status_code for answer in refused] == [403, 403]
    assert Job.objects.count() == 1
    assert not Queue.objects.exists()


@pytest.fixture
def changer(db: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Of one who may change jobs, and start none of this type."""
    guarded = replace(kinds.get("selftest"), permission="downloader.add_download")
    monkeypatch.setitem(kinds.table(), "selftest", guarded)
    return staff("changer", rights=("view_job", "change_job"))


def test_no_button_starts_what_its_presser_may_not_start(changer: Client) -> None:
    letter, over = a_job(None, "dead"), a_job(None, State.CANCELED)
    pages = [changer.get(f"{JOBS}{job.pk}/change/") for job in (letter, over)]
    offered = [[action for action, _ in page.context["buttons"]] for page in pages]
    assert offered == [["discard"], []]
    assert f"{letter.pk}/requeue/" not in text(pages[0])


def test_who_may_start_no_type_is_offered_no_requeue_of_many(
    changer: Client, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_job(None, "dead")
    assert 'value="requeue"' in text(changer.get(JOBS))  # there are other types
    only = {"selftest": kinds.get("selftest")}
    monkeypatch.setattr(kinds, "table", lambda: only)
    pages = [text(browser.get(JOBS)) for browser in (changer, operator)]
    assert ['value="requeue"' in page for page in pages] == [False, True]
    assert ['value="discard"' in page for page in pages] == [True, True]


def test_a_requeue_that_is_not_allowed_is_told_and_leaves_the_letter(changer: Client) -> None:
    letter = a_job(None, "dead")
    of_many = act(changer, "requeue", letter)
    told = [str(message) for message in of_many.wsgi_request._messages]
    page = text(changer.post(f"{JOBS}{letter.pk}/requeue/", {"params": "{}"}))
    why = "need the permission downloader.add_download"
    assert (why in told[-1], why in page) == (True, True)
    assert [job.pk for job in Job.objects.dead()] == [letter.pk]
    assert Job.objects.count() == 1
    assert logged() == []


@pytest.mark.parametrize("path", [JOBS, "/admin/jobs/queue/", "/admin/jobs/worker/"])
def test_staff_without_rights_are_refused(db: None, path: str) -> None:
    assert staff("newcomer").get(path).status_code == 403


def test_actions_need_the_csrf_token(mira: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("root"))
    answer = act(browser, "cancel", a_job(mira))
    assert answer.status_code == 403
    assert Job.objects.get().status == State.QUEUED


@pytest.mark.parametrize("path", ["x", "00000000-0000-0000-0000-000000000000"])
def test_a_job_that_is_not_there_is_no_fault(operator: Client, path: str) -> None:
    assert operator.get(f"{JOBS}{path}/change/").status_code == 302
    assert operator.get(f"{JOBS}{path}/requeue/").status_code == 404


def test_queues_are_paused_and_resumed_with_a_log_entry(operator: Client, mira: User) -> None:
    a_job(mira)
    form = {"queue": "io", "action": "pause", "reason": "a new disk"}
    assert operator.post("/admin/jobs/queue/", form).status_code == 302
    page = text(operator.get("/admin/jobs/queue/"))
    assert "a new disk" in page
    assert Queue.objects.get(name="io").paused
    operator.post("/admin/jobs/queue/", {"queue": "io", "action": "resume"})
    assert not Queue.objects.get(name="io").paused
    assert logged() == [
        "paused: open → paused (a new disk).",
        "resumed: paused (a new disk) → open.",
    ]


@pytest.mark.parametrize("form", [{}, {"queue": "cpu", "action": "pause"}, {"queue": "io"}])
def test_a_wrong_queue_form_changes_nothing(operator: Client, form: dict[str, str]) -> None:
    assert operator.post("/admin/jobs/queue/", form).status_code == 302
    assert not Queue.objects.exists()


def test_workers_are_shown_and_their_silence_is_seen(operator: Client) -> None:
    Worker.objects.create(id="io@host/1", queue="io", slots=4)
    gone = Worker.objects.create(id="io@host/2", queue="io")
    Worker.objects.filter(id=gone.id).update(seen_at=gone.seen_at.replace(year=2020))
    page = text(operator.get("/admin/jobs/worker/"))
    assert "alive" in page
    assert "silent" in page
    assert operator.get("/admin/jobs/worker/io_40host_2F1/change/").status_code == 200
    assert operator.get("/admin/jobs/worker/add/").status_code == 403


def test_facts_that_a_newer_worker_tells_of_a_device_hurt_no_page(operator: Client) -> None:
    facts = {"0": {"label": "NVIDIA H100", "total": 80, "celsius": 61, "name": "x"}, "1": {}}
    Worker.objects.create(id="gpu@host/1", queue="gpu", devices=["0", "1"], device_facts=facts)
    assert "NVIDIA H100" in text(operator.get("/admin/jobs/queue/"))


def test_jobs_are_neither_added_nor_edited_nor_deleted(operator: Client, mira: User) -> None:
    job = a_job(mira)
    answers = [
        operator.get(f"{JOBS}add/"),
        operator.post(f"{JOBS}{job.pk}/change/", {"status": "succeeded"}),
        operator.post(f"{JOBS}{job.pk}/delete/", {"post": "yes"}),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert "Add job" not in text(operator.get(JOBS))
    assert Job.objects.get().status == State.QUEUED


@pytest.mark.parametrize("path", ["taskresult", "groupresult"])
def test_task_results_are_visible_and_not_addable(operator: Client, path: str) -> None:
    TaskResult.objects.create(task_id="one", task_name="jobs.upkeep", result='"<script>"')
    page = text(operator.get(f"/admin/django_celery_results/{path}/"))
    assert f"{path}/add/" not in page
    assert operator.get(f"/admin/django_celery_results/{path}/add/").status_code == 403


def test_a_task_result_is_shown(operator: Client) -> None:
    result = TaskResult.objects.create(task_id="one", task_name="jobs.upkeep", result='"<b>"')
    page = text(operator.get(f"/admin/django_celery_results/taskresult/{result.pk}/change/"))
    assert "jobs.upkeep" in page
    assert '"<b>"' not in page
    assert 'name="_save"' not in page
