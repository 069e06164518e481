"""`manage.py job_create TYPE`: queue a job; its id is all that goes to standard output."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from jobs import submission
from jobs.command_line import NOT_FOUND, USAGE, JobCommand, params_from, plain
from jobs.models import Job
from jobs.states import TERMINAL, State
from jobs.webhooks import hooks
from jobs.webhooks.hooks import Hook

LOOK_EVERY_S = 0.2
LARGEST_FILE_BYTES = 1_048_576


class Command(JobCommand):
    help = "Queue a job and print its id. With --wait: exit 0 when it succeeded, 1 when it did not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("type", help="the job type, such as selftest")
        given = parser.add_mutually_exclusive_group()
        given.add_argument(
            "--param",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a parameter; give it once for each",
        )
        given.add_argument("--json", metavar="FILE", help="all parameters as JSON; - reads stdin")
        parser.add_argument("--owner", metavar="USER", help="whose job it is (default: nobody's)")
        parser.add_argument("--priority", type=int, default=0, help="-100 to 100; higher is first")
        parser.add_argument("--webhook", metavar="URL", help="told of the end; needs --owner")
        parser.add_argument(
            "--webhook-event",
            action="append",
            default=[],
            metavar="EVENT",
            help=f"tell only this; give it once for each: {', '.join(hooks.EVENTS)}",
        )
        parser.add_argument("--wait", action="store_true", help="until it has ended")

    def handle(self, *args: Any, **options: Any) -> None:
        params = _from_file(options["json"]) if options["json"] else _from_pairs(options["param"])
        owner = _owner(options["owner"])
        hook = _hook(options["webhook"], options["webhook_event"])
        job = submission.submit(
            options["type"], params, owner, priority=options["priority"], webhook=hook
        )
        self.stdout.write(str(job.pk))
        self.stdout.flush()
        if options["wait"]:
            self._wait(job)

    def _wait(self, job: Job) -> None:
        while job.status not in TERMINAL:
            time.sleep(LOOK_EVERY_S)
            job.refresh_from_db()
        if job.status != State.SUCCEEDED:
            raise CommandError(plain(f"The job {job.status}. {job.error_message}").strip())
        self.say("The job succeeded.")


def _from_pairs(pairs: list[str]) -> dict[str, Any]:
    """Values are text, which the type's own fields turn into what they need."""
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or name in params:
            problem = f"--param: got {plain(pair)!r}, takes NAME=VALUE, each name once."
            raise CommandError(problem, returncode=USAGE)
        params[name] = value
    return params


def _from_file(name: str) -> dict[str, Any]:
    try:
        text = _read(name)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--json: cannot read it: {error}.", returncode=USAGE) from error
    if len(text) > LARGEST_FILE_BYTES:
        problem = f"--json: larger than {LARGEST_FILE_BYTES} bytes."
        raise CommandError(problem, returncode=USAGE)
    return params_from(text, "--json")


def _read(name: str) -> str:
    if name == "-":
        return sys.stdin.read(LARGEST_FILE_BYTES + 1)
    with Path(name).open(encoding="utf-8") as file:
        return file.read(LARGEST_FILE_BYTES + 1)


def _owner(name: str | None) -> Any:
    if name is None:
        return None
    users = get_user_model().objects
    owner = users.filter(**{f"{get_user_model().USERNAME_FIELD}__iexact": name}).first()
    if owner is None:
        raise CommandError(f"There is no user {plain(name)!r}.", returncode=NOT_FOUND)
    return owner


def _hook(url: str | None, events: list[str]) -> Hook | None:
    if url is None:
        if events:
            raise CommandError("--webhook-event: takes a --webhook too.", returncode=USAGE)
        return None
    return hooks.parse({"url": url, "events": events}, "webhook.")
