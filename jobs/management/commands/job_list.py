"""`manage.py job_list`: the newest jobs, as a table or as JSON."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from jobs.api import serializers
from jobs.command_line import JobCommand, count, moment
from jobs.models import Job, JobQuerySet
from registry.command_line import add_output

MOST = 1000
HEAD = ("ID", "TYPE", "STATUS", "OWNER", "CREATED", "ATTEMPTS", "PROGRESS", "ERROR")


class Command(JobCommand):
    help = "List jobs, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--status", choices=serializers.STATES)
        parser.add_argument("--type", help="only jobs of this type")
        parser.add_argument("--dead", action="store_true", help="only unsettled dead letters")
        parser.add_argument("--limit", type=count(MOST), default=50)
        add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = _wanted(**options)[: options["limit"]]
        if options["output"] == "json":
            self.print_json(serializers.JobSummarySerializer(jobs, many=True).data)
        else:
            self.print_table(HEAD, [_row(job) for job in jobs])


def _wanted(status: str | None, type: str | None, *, dead: bool, **_: Any) -> JobQuerySet:
    filters = {"status": status, "type": type}
    jobs = Job.objects.filter(**{name: value for name, value in filters.items() if value})
    jobs = jobs.select_related("owner").defer("params", "progress_state", "error_detail")
    return (jobs.dead() if dead else jobs).order_by("-created_at", "-id")


def _row(job: Job) -> tuple[Any, ...]:
    return (
        job.pk,
        job.type,
        job.status,
        job.owner or "-",
        moment(job.created_at),
        f"{job.attempts}/{job.max_attempts}",
        f"{job.progress:.0%}",
        job.error_code or "-",
    )
