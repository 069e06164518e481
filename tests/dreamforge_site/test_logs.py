"""A log call is one line, tells what happened, keeps secrets, and never raises."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from dreamforge_site.environment import BASE_DIR, read
from dreamforge_site.logs import known_secrets
from dreamforge_site.operations import redaction
from dreamforge_site.operations.redaction import LONGEST_TEXT, Redactor
from tests import environment
from tests.dreamforge_site.operations.lines import caught

pytestmark = pytest.mark.pure

log = structlog.get_logger(__name__)
plain = logging.getLogger("somebody.elses")


def test_a_line_is_an_object_with_time_level_logger_and_event_first() -> None:
    with caught() as lines:
        log.info("job_started", attempt=1)
    (line,) = lines.parsed
    assert list(line) == ["ts", "level", "logger", "event", "attempt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["ts"])
    assert (line["level"], line["logger"], line["event"]) == ("info", __name__, "job_started")


def test_the_standard_librarys_lines_look_the_same() -> None:
    with caught() as lines:
        plain.warning("took %d s", 5)
    line = lines.of("took 5 s")
    assert (line["level"], line["logger"]) == ("warning", "somebody.elses")


def test_an_exception_is_one_field_of_one_line() -> None:
    with caught() as lines:
        log.error("failed", exc_info=ValueError("first\nsecond"))
    (line,) = lines.parsed
    assert line["exception"]["type"] == "ValueError"
    assert line["exception"]["message"] == "first\nsecond"
    assert line["exception"]["traceback"].endswith("first\nsecond")


@pytest.mark.parametrize(
    "hostile", ['x\n{"event": "forged"}', "x\r\ny", "x\u2028y\x85z", "\x1b[2J"]
)
def test_no_text_makes_a_second_line_or_moves_the_cursor(hostile: str) -> None:
    for_people, for_machines = caught(as_text=True), caught()
    with for_people as text, for_machines as lines:
        plain.warning(hostile)
    assert len(text.text.splitlines()) == 1
    assert len(lines.text.splitlines()) == 1
    assert "\x1b" not in text.text + lines.text
    assert lines.parsed[0]["event"] == hostile


def test_an_exceptions_text_cannot_pose_as_a_line_for_people() -> None:
    with caught(as_text=True) as lines:
        failure = ValueError("x\n2026-01-01T00:00:00Z [info] forged")
        log.error("failed", exc_info=failure)
    assert re.search(r"^    \| .*forged", lines.text, re.MULTILINE)
    assert not re.search(r"^2026-01-01", lines.text, re.MULTILINE)


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_whatever_is_logged_becomes_a_line() -> None:
    circle: list[object] = []
    circle.append(circle)
    with caught() as lines:
        log.info(
            "odd",
            hostile=Hostile(),
            circle=circle,
            infinite=float("inf"),
            surrogate="\ud800",
            raw=b"\xff",
            path=Path("/x"),
            mapping={1: {2}, "none": None},
            long="x" * (LONGEST_TEXT * 3),
        )
    line = lines.of("odd")
    assert line["hostile"] == "<Hostile whose repr raised RuntimeError>"
    assert line["infinite"] == "inf"
    assert line["surrogate"] == "\ud800"
    assert line["mapping"] == {"1": [2], "none": None}
    assert len(line["long"]) < LONGEST_TEXT + 100


def test_a_broken_log_call_is_reported_and_not_raised() -> None:
    with caught() as lines:
        plain.warning("needs a number: %d", "none")
    line = lines.of("log_line_failed")
    assert (line["logger"], line["error"]) == ("somebody.elses", "TypeError")


def test_the_request_id_is_in_every_line() -> None:
    with caught() as lines, structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.info("ours")
        plain.warning("theirs")
    assert [line["request_id"] for line in lines.parsed] == ["r-1", "r-1"]


# Secrets


@pytest.mark.parametrize(
    "name",
    ["password", "DF_SECRET_KEY", "Authorization", "refresh_token", "api_key", "X-API-Key",
     "Set-Cookie", "sessionid", "aws_access_key_id", "signature"],
)  # fmt: skip
def test_a_value_under_a_secret_name_is_dropped(name: str) -> None:
    with caught() as lines:
        log.info("told", facts={name: "canary", "deeper": [{name: ["canary"]}]}, **{name: "canary"})
    assert "canary" not in lines.text
    assert lines.of("told")[name] == "***"


@pytest.mark.parametrize(
    "name", ["token_set", "token_ttl_s", "api_key_id", "max_tokens", "key_prefix", "secrets_count"]
)
def test_a_fact_about_a_secret_is_kept(name: str) -> None:
    with caught() as lines:
        log.info("told", **{name: 7})
    assert lines.of("told")[name] == 7


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary.canary",
        "{'Authorization': 'Bearer canary', 'Cookie': 'sessionid=canary; csrftoken=canary'}",
        "sent eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.canary-signature",
        "key dfk_AbCdEfGh_canarycanary",
        "with hf_canaryCanaryCanary",
        "postgresql://user:canary@db.example.org/forge",
        "redis://:canary@cache.example.org",
        "GET /file?X-Amz-Signature=canary&token=canary",
        "{'password': 'canary'}",
        '{"api_key": "canary"}',
    ],
)
def test_the_shapes_secrets_have_are_masked_in_text(text: str) -> None:
    masked = Redactor().text(text)
    assert "canary" not in masked
    assert "***" in masked


def test_known_secrets_are_masked_in_messages_and_tracebacks_in_any_form() -> None:
    secret = "can'ary/§ p%40ss"
    with caught(secrets=(secret,)) as lines:
        failure = ValueError({"x": secret})
        log.error("failed", url=f"https://x.example.org/?q={secret}", exc_info=failure)
        plain.warning("plain %s", secret)
        log.info("quoted", q="can%27ary%2F%C2%A7%20p%2540ss")
    assert "can" not in lines.text.replace("canceled", "")
    assert lines.text.count("***") >= 4


def test_ordinary_text_is_left_alone() -> None:
    text = "GET /v1/jobs/42 took 5 ms, secretly basic tokens: 12 of 30; http://host:8000/x@y"
    assert Redactor(["admin"]).text(text) == text


def test_the_environments_secrets_are_known(tmp_path: Path) -> None:
    found = read(
        {
            "DF_SECRET_KEY": "k" * 60,
            "DF_DATABASE_URL": "postgresql://user:db-pass@host/name",
            "DF_BROKER_URL": "embedded",
            "HF_TOKEN": "hub-token",
        },
        tmp_path,
    )
    assert sorted(known_secrets(found)) == ["db-pass", "hub-token", "k" * 60]


# A whole process

SCRIPT = """
import logging, sys, threading, warnings
import django; django.setup()
import structlog
logging.getLogger("uvicorn.error").info("from uvicorn")
logging.getLogger("celery.worker").warning("from celery")
warnings.warn("from warnings")
structlog.get_logger("child").info("from structlog", unicode="猫")
def fail(): raise RuntimeError("thread canary-secret-value")
thread = threading.Thread(target=fail, name="worker-1"); thread.start(); thread.join()
class Bad:
    def __del__(self): raise RuntimeError("unraisable")
Bad()
raise RuntimeError("uncaught\\ncanary-secret-value")
"""


def run(tmp_path: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=BASE_DIR,
        env={
            **environment.clean(),
            "DJANGO_SETTINGS_MODULE": "dreamforge_site.settings",
            "DF_DATA_DIR": str(tmp_path),
            "HF_TOKEN": "canary-secret-value",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_a_process_says_is_one_json_line_on_stdout(tmp_path: Path) -> None:
    done = run(tmp_path, SCRIPT, DREAMFORGE_REQUEST_ID="from-the-parent")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    told = [line["event"] for line in lines]
    assert done.stderr == ""
    assert done.returncode == 1
    assert [event for event in told if event.startswith("from ")] == [
        "from uvicorn", "from celery", "from structlog"
    ]  # fmt: skip
    assert sum("from warnings" in event for event in told) == 1
    assert told.count("uncaught_exception") == 2
    assert told.count("unraisable_exception") == 1
    assert {line["request_id"] for line in lines} == {"from-the-parent"}
    assert "canary" not in done.stdout


def test_the_level_hides_what_is_below_it(tmp_path: Path) -> None:
    done = run(tmp_path, SCRIPT, DF_LOG_LEVEL="error")
    assert {json.loads(line)["level"] for line in done.stdout.splitlines()} == {"error", "critical"}


def test_a_closed_stdout_does_not_stop_the_process(tmp_path: Path) -> None:
    script = """
import os, django; django.setup()
import structlog
os.close(1)
structlog.get_logger("x").info("into the void")
os.write(2, b"still here")
os._exit(0)
"""
    done = run(tmp_path, script)
    assert (done.returncode, done.stderr) == (0, "still here")


@pytest.mark.parametrize(
    ("started", "stream"),
    [
        (["manage.py", "show_config"], "stderr"),
        (["manage.py", "web"], "stdout"),
        (["/usr/bin/uvicorn", "show_config"], "stdout"),
    ],
)
def test_only_commands_whose_stdout_is_their_answer_log_to_stderr(
    started: list[str], stream: str, tmp_path: Path
) -> None:
    script = f"""
import sys; sys.argv = {started!r}
import django; django.setup()
import structlog
structlog.get_logger("x").warning("told")
"""
    done = run(tmp_path, script)
    lines = {"stdout": done.stdout, "stderr": done.stderr}
    assert json.loads(lines.pop(stream))["event"] == "told"
    assert list(lines.values()) == [""]


@pytest.mark.parametrize(
    ("command", "level", "told"),
    [("show_config", "", False), ("show_config", "info", True), ("web", "", True)],
)
def test_a_command_tells_what_it_does_only_when_asked(
    command: str, level: str, told: bool, tmp_path: Path
) -> None:
    script = f"""
import os, sys; sys.argv = ["manage.py", {command!r}]
os.environ["DF_LOG_LEVEL"] = {level!r}
import django; django.setup()
import structlog
structlog.get_logger("x").info("what it does")
"""
    done = run(tmp_path, script)
    assert ("what it does" in done.stdout + done.stderr) is told


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 3_000_000 + "=",
        "eyJ-" * 500_000 + "=",
        "a://" * 500_000 + "=",
        "token " * 400_000 + "=",
        "password" + " " * 2_000_000 + "x=",
        "basic " * 400_000 + "=",
    ],
    ids=["letters", "jwt", "addresses", "names", "spaces", "schemes"],
)
def test_hostile_text_is_searched_in_one_pass(hostile: str) -> None:
    """A pattern that begins anew at each character would not come back from these."""
    told = Redactor().text(hostile)
    assert "characters left out" in told


def test_secret_is_not_left_in_halves_where_a_long_text_is_cut() -> None:
    secret = "a-very-known-secret"
    half = redaction.LONGEST_TEXT // 2
    for offset in range(len(secret) + 1):
        text = "x " * ((half - offset) // 2) + secret + " y" * redaction.LONGEST_TEXT
        told = Redactor([secret]).text(text)
        assert "known-secret" not in told
        assert "a-very-known" not in told
