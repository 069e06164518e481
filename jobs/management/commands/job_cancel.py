"""`manage.py job_cancel ID`: a queued job is canceled at once, a running one is asked to stop."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from jobs import submission
from jobs.command_line import JobCommand, find, job_id
from jobs.states import State


class Command(JobCommand):
    changes_things = True
    help = "Cancel a queued or running job; exit 1 when it has ended already."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=job_id)

    def handle(self, *args: Any, **options: Any) -> None:
        job = find(options["id"])
        submission.cancel(job, by=self.by)
        job.refresh_from_db()
        canceled = job.status == State.CANCELED
        self.say("Canceled." if canceled else "Asked to stop; follow it with job_logs --follow.")
