"""The job commands: what goes to which stream, and how they end."""

from __future__ import annotations

import io
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.core.management.base import CommandError

from dreamforge_site.accounts.models import User
from jobs import events, kinds, queueing
from jobs.events import Note
from jobs.management.commands import job_requeue
from jobs.models import Job, Queue
from jobs.states import State
from jobs.webhooks.models import JobWebhook
from registry import command_line
from tests.callers import member
from tests.jobs import invariants
from tests.jobs.api.conftest import a_job
from tests.jobs.service import Service, wait_until

Capture = pytest.CaptureFixture[str]
NOBODY = "00000000-0000-0000-0000-000000000000"


def refused(*arguments: str, exit_code: int, **options: Any) -> str:
    """The one line of a command that was refused."""
    with pytest.raises(CommandError) as raised:
        call_command(*arguments, **options)
    assert raised.value.returncode == exit_code
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_create_prints_the_id_and_nothing_else(mira: User, capsys: Capture) -> None:
    call_command("job_create", "selftest", "--param", "items=3", "--owner", "MIRA")
    written = capsys.readouterr()
    job = Job.objects.get()
    assert written.out == f"{job.pk}\n"
    assert (job.params["items"], job.owner, job.priority) == (3, mira, 0)


def test_create_for_the_service_itself_may_go_first(db: None, capsys: Capture) -> None:
    call_command("job_create", "selftest", "--priority", "50")
    assert (Job.objects.get().owner, Job.objects.get().priority) == (None, 50)


def test_create_remembers_whom_to_tell(mira: User, capsys: Capture) -> None:
    url = "https://hooks.example.org/forge"
    mine = ("job_create", "selftest", "--owner", "mira", "--webhook", url)
    call_command(*mine)
    call_command(*mine, "--webhook-event", "job.failed", "--webhook-event", "job.canceled")
    named = JobWebhook.objects.order_by("job__created_at").values_list("url", "events")
    assert list(named) == [
        (url, ["job.canceled", "job.failed", "job.succeeded"]),
        (url, ["job.canceled", "job.failed"]),
    ]


def test_create_reads_parameters_from_a_file_and_from_stdin(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "params.json"
    file.write_text('{"items": 2}')
    call_command("job_create", "selftest", "--json", str(file))
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"items": 4}'))
    call_command("job_create", "selftest", "--json", "-")
    assert sorted(job.params["items"] for job in Job.objects.all()) == [2, 4]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["render"], 2, "no job type 'render'"),
        (["selftest", "--param", "items"], 2, "NAME=VALUE"),
        (["selftest", "--param", "=1"], 2, "NAME=VALUE"),
        (["selftest", "--param", "items=1", "--param", "items=2"], 2, "each name once"),
        (["selftest", "--param", "items=many"], 2, "items: A valid integer is required."),
        (["selftest", "--param", "itms=1"], 2, "itms: Unknown field."),
        (["selftest", "--json", "/nowhere/at/all"], 2, "--json: cannot read it"),
        (["selftest", "--priority", "101"], 2, "priority"),
        (
            ["selftest", "--webhook", "https://a.example.org"],
            2,
            "webhook: Only a job with an owner",
        ),
        (["selftest", "--webhook", "http://127.0.0.1/"], 2, "webhook.url: "),
        (["selftest", "--webhook", "gopher://a.example.org"], 2, "webhook.url: "),
        (["selftest", "--webhook", "https://a.example.org", "--webhook-event", "x"], 2, "events: "),
        (["selftest", "--webhook-event", "job.failed"], 2, "takes a --webhook too"),
        (["selftest", "--owner", "nobody"], 3, "no user 'nobody'"),
        (["selftest", "--owner", "a\x1b[31m\nb"], 3, "no user"),
    ],
)
def test_create_refuses_in_one_line(
    db: None, arguments: list[str], exit_code: int, said: str
) -> None:
    assert said in refused("job_create", *arguments, exit_code=exit_code)
    assert not Job.objects.exists()


@pytest.mark.parametrize("content", ["[]", "{", "NaN", '{"items": NaN}', "", "[" * 100_000])
def test_create_refuses_what_is_no_json_object(db: None, tmp_path: Path, content: str) -> None:
    file = tmp_path / "params.json"
    file.write_text(content)
    assert "--json" in refused("job_create", "selftest", "--json", str(file), exit_code=2)


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"items": "' + b"x" * 2_000_000 + b'"}'])
def test_create_refuses_a_file_that_is_no_text_or_too_long(
    db: None, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "params.json"
    file.write_bytes(content)
    assert "--json" in refused("job_create", "selftest", "--json", str(file), exit_code=2)


def test_list_as_a_table_and_as_json(mira: User, capsys: Capture) -> None:
    made = [a_job(mira), a_job(None, "dead")]
    call_command("job_list")
    head, *lines = capsys.readouterr().out.splitlines()
    call_command("job_list", "--output", "json")
    listed = json.loads(capsys.readouterr().out)
    call_command("job_list", "--json")
    assert json.loads(capsys.readouterr().out) == listed
    assert head.split()[:4] == ["ID", "TYPE", "STATUS", "OWNER"]
    assert [line.split()[0] for line in lines] == [str(job.pk) for job in made[::-1]]
    assert lines[0].split()[-1] == "worker_lost"
    assert lines[1].split()[3] == "mira"
    assert [job["id"] for job in listed] == [str(job.pk) for job in made[::-1]]


@pytest.mark.parametrize(
    ("arguments", "states"),
    [
        (["--status", "queued"], ["queued"]),
        (["--dead"], ["failed"]),
        (["--type", "render"], []),
        (["--limit", "1"], ["failed"]),
    ],
)
def test_list_is_filtered(
    mira: User, capsys: Capture, arguments: list[str], states: list[str]
) -> None:
    a_job(mira), a_job(mira, "dead")
    call_command("job_list", "--output", "json", *arguments)
    assert [job["status"] for job in json.loads(capsys.readouterr().out)] == states


def test_a_table_holds_no_character_that_steers_a_terminal(capsys: Capture, db: None) -> None:
    queueing.pause("io", "\x1b[31mred\nline\u2028")
    call_command("queue_list")
    written = capsys.readouterr().out
    assert len(written.splitlines()) == 3
    assert "\x1b" not in written
    assert command_line.table(["A", "B"], [["a\tb", "\x9b"]]) == ["A    B", "a b"]


def test_get_shows_what_the_api_shows(mira: User, capsys: Capture) -> None:
    job = a_job(mira, State.FAILED, items=2)
    call_command("job_get", str(job.pk))
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["status"], told["params"]["items"]) == (str(job.pk), "failed", 2)


def test_logs_are_lines_of_json(mira: User, capsys: Capture) -> None:
    job = a_job(mira, State.SUCCEEDED)
    events.append(job.pk, [Note("note", "grüße\n\x1b[31m")])
    call_command("job_logs", str(job.pk))
    lines = capsys.readouterr().out.splitlines()
    call_command("job_logs", str(job.pk), "--tail", "2", "--follow")
    tail = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4]
    assert tail == lines[2:]
    assert "\x1b" not in lines[3]


def test_cancel_says_what_became_of_it(mira: User, capsys: Capture) -> None:
    queued, running = a_job(mira), a_job(mira, State.RUNNING)
    call_command("job_cancel", str(queued.pk))
    call_command("job_cancel", str(running.pk))
    written = capsys.readouterr()
    assert "Canceled." in written.err
    assert "Asked to stop" in written.err
    assert written.out == ""
    assert "is canceled" in refused("job_cancel", str(queued.pk), exit_code=1)


@pytest.mark.parametrize("command", ["job_get", "job_logs", "job_cancel", "job_requeue"])
def test_a_job_that_is_not_there_is_not_found(db: None, command: str) -> None:
    assert NOBODY in refused(command, NOBODY, exit_code=3)


def test_requeue_of_one_with_changes(mira: User, capsys: Capture) -> None:
    old = a_job(mira, "dead", items=3, ticks=9)
    call_command("job_requeue", str(old.pk), "--params", '{"items": 1}')
    new = Job.objects.get(requeued_from=old)
    assert capsys.readouterr().out == f"{new.pk}\n"
    assert (new.params["items"], new.params["ticks"], new.owner) == (1, 9, mira)
    assert not Job.objects.dead().exists()


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        ([], 2),
        ([NOBODY, "--dead"], 2),
        ([NOBODY, "--all"], 2),
        (["--all"], 2),
        (["--dead", "--params", "[]"], 2),
        (["--dead", "--params", "{"], 2),
    ],
)
def test_requeue_refuses_wrong_usage(db: None, arguments: list[str], exit_code: int) -> None:
    refused("job_requeue", *arguments, exit_code=exit_code)


def test_requeue_of_a_job_that_runs_is_refused(mira: User) -> None:
    job = a_job(mira, State.RUNNING)
    assert "is running" in refused("job_requeue", str(job.pk), exit_code=1)


@pytest.mark.parametrize("dead", [False, True])
def test_the_name_for_the_log_takes_no_right_to_requeue(
    db: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch, dead: bool
) -> None:
    viewer = member("viewer", "viewers")
    guarded = replace(kinds.get("selftest"), permission="downloader.add_download")
    monkeypatch.setitem(kinds.table(), "selftest", guarded)
    old = a_job(None, "dead")
    call_command("job_requeue", "--dead" if dead else str(old.pk), "--as", viewer.username)
    new = Job.objects.get(requeued_from=old)
    assert capsys.readouterr().out == f"{new.pk}\n"
    assert LogEntry.objects.get().user == viewer


def test_dead_letters_are_requeued_by_the_hundred_or_all(
    mira: User, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_requeue, "AT_ONCE", 2)
    letters = [a_job(mira, "dead") for _ in range(5)]
    call_command("job_requeue", "--dead")
    assert len(capsys.readouterr().out.split()) == 2
    assert [job.pk for job in Job.objects.dead().order_by("dead_at")] == [
        job.pk for job in letters[2:]
    ]
    call_command("job_requeue", "--dead", "--all")
    assert len(capsys.readouterr().out.split()) == 3
    call_command("job_requeue", "--dead", "--all")
    assert "0 requeued, 0 refused." in capsys.readouterr().err
    assert Job.objects.filter(requeued_from__in=letters).count() == 5


def test_a_letter_that_cannot_run_is_named_and_the_others_go(
    mira: User, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_requeue, "AT_ONCE", 1)
    bad, good = a_job(mira, "dead"), a_job(mira, "dead")
    Job.objects.filter(id=bad.pk).update(type="render")
    assert "stay on the list" in refused("job_requeue", "--dead", "--all", exit_code=1)
    written = capsys.readouterr()
    assert written.out == f"{Job.objects.get(requeued_from=good).pk}\n"
    assert f"{bad.pk}: There is no job type 'render'" in written.err
    assert "1 requeued, 1 refused." in written.err


def test_queues_are_paused_resumed_and_listed(db: None, capsys: Capture) -> None:
    call_command("queue_pause", "io", "--reason", "a new disk")
    call_command("queue_list")
    table = capsys.readouterr().out
    call_command("queue_resume", "io")
    capsys.readouterr()
    call_command("queue_list", "--output", "json")
    listed = {queue["name"]: queue for queue in json.loads(capsys.readouterr().out)}
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [
        ["gpu", "open"],
        ["io", "paused"],
    ]
    assert "a new disk" in table
    assert listed["io"]["paused"] is False


def test_a_reason_that_is_too_long_is_refused(db: None) -> None:
    refused("queue_pause", "io", "--reason", "x" * 201, exit_code=2)
    assert not Queue.objects.exists()


@pytest.mark.live
class TestWithAWorker:
    """Against real processes."""

    def test_wait_follow_and_selftest_see_jobs_to_their_end(self, service: Service) -> None:
        service.worker()
        waited = service.command("job_create", "selftest", "--param", "items=2", "--wait")
        assert waited.exit_status() == 0
        failed = service.command("job_create", "trial", "--param", "fault=raise", "--wait")
        assert failed.exit_status() == 1
        tested = service.command("selftest", "--timeout", "40")
        assert tested.exit_status() == 0, tested.text
        assert [part in tested.text for part in ("database", "broker", "worker", "stream")] == [
            True
        ] * 4
        assert "BROKEN" not in tested.text
        invariants.check()

    def test_follow_ends_with_the_job_and_an_interrupt_ends_a_wait(self, service: Service) -> None:
        job_id = a_job(None).pk
        followed = service.command("job_logs", str(job_id), "--follow")
        followed.wait_for("job.queued")
        waiting = service.command("job_create", "gpu_trial", "--wait")
        wait_until(lambda: Job.objects.count() == 2, "the second job", service.log)
        waiting.signal(signal.SIGINT)
        assert waiting.exit_status() == 130
        assert "Traceback" not in waiting.text
        service.worker()
        followed.wait_for("job.finish")
        assert followed.exit_status() == 0

    def test_selftest_without_a_worker_says_so_and_takes_its_job_back(
        self, service: Service
    ) -> None:
        tested = service.command("selftest", "--timeout", "2", "--json")
        assert tested.exit_status() == 1
        found = {
            finding["part"]: finding["ok"]
            for finding in json.loads(tested.text[tested.text.index("[\n") :])
        }
        assert found == {"database": True, "broker": False, "worker": False}
        assert "is a worker running?" in tested.text
        assert Job.objects.get().status == State.CANCELED

    @pytest.mark.parametrize(
        ("arguments", "exit_code"),
        [
            (["job_get", "not-an-id"], 2),
            (["job_list", "--limit", "0"], 2),
            (["queue_pause", "cpu"], 2),
            (["job_get", NOBODY], 3),
        ],
    )
    def test_the_exit_code_tells_what_was_wrong(
        self, service: Service, arguments: list[str], exit_code: int
    ) -> None:
        ended = service.command(*arguments)
        assert ended.exit_status() == exit_code
        assert "Traceback" not in ended.text
