"""`manage.py queue_pause NAME`: start nothing new from a queue; what runs goes on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs import kinds, queueing
from jobs.command_line import USAGE, JobCommand, plain

LONGEST_REASON = 200


class Command(JobCommand):
    changes_things = True
    help = "Pause a queue: nothing new starts, what runs goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=kinds.QUEUES)
        parser.add_argument("--reason", default="", help="shown to whoever looks at the queue")

    def handle(self, *args: Any, **options: Any) -> None:
        reason = plain(options["reason"])
        if len(reason) > LONGEST_REASON:
            problem = f"--reason: takes {LONGEST_REASON} characters at most."
            raise CommandError(problem, returncode=USAGE)
        queueing.pause(options["name"], reason, by=self.by)
        self.say(f"{options['name']} is paused; when queue_list shows 0 running, it is drained.")
