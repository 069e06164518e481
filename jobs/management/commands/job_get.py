"""`manage.py job_get ID`: one job as JSON, as the API shows it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from jobs.api.answers import shown
from jobs.command_line import JobCommand, find, job_id


class Command(JobCommand):
    help = "Show one job as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=job_id)

    def handle(self, *args: Any, **options: Any) -> None:
        self.print_json(shown(find(options["id"])))
