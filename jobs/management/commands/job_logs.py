"""`manage.py job_logs ID`: a job's log as lines of JSON, and what is added to it until it ends."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from jobs import logbook
from jobs.command_line import JobCommand, count, find, job_id
from jobs.logbook import Wanted
from jobs.models import Job
from jobs.states import TERMINAL

LONGEST_TAIL = 10_000
LOOK_EVERY_S = 0.5


class Command(JobCommand):
    help = "Print a job's log, one JSON object a line, oldest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=job_id)
        parser.add_argument("--tail", type=count(LONGEST_TAIL), help="only the last N lines")
        parser.add_argument("--follow", action="store_true", help="go on until the job ends")

    def handle(self, *args: Any, **options: Any) -> None:
        job = find(options["id"])
        self._print(job, Wanted(tail=options["tail"]))
        while options["follow"] and job.status not in TERMINAL:
            time.sleep(LOOK_EVERY_S)
            seen = job.last_seq
            job = find(options["id"])
            self._print(job, Wanted(after=seen))

    def _print(self, job: Job, wanted: Wanted) -> None:
        for page in logbook.pages(job, wanted):
            self.stdout.write(page.decode(), ending="")
        self.stdout.flush()
