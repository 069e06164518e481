"""`manage.py queue_resume NAME`: let workers take jobs from a queue again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from jobs import kinds, queueing
from jobs.command_line import JobCommand


class Command(JobCommand):
    changes_things = True
    help = "Resume a paused queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=kinds.QUEUES)

    def handle(self, *args: Any, **options: Any) -> None:
        queueing.resume(options["name"], by=self.by)
        self.say(f"{options['name']} is open.")
