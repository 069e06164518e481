"""`manage.py job_requeue ID` or `--dead`: run again what failed; new ids go to standard output."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from jobs import dead_letters
from jobs.command_line import USAGE, JobCommand, find, job_id, params_from, plain
from jobs.dead_letters import Outcome
from jobs.models import Job

AT_ONCE = 100


class Command(JobCommand):
    changes_things = True
    help = (
        "Run a failed or canceled job again, or the oldest hundred dead letters (--dead), or all "
        "of them (--dead --all). The new jobs' ids are printed; the old ones keep their history."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=job_id, nargs="?")
        parser.add_argument("--dead", action="store_true", help="jobs that used up their attempts")
        parser.add_argument("--all", action="store_true", help="with --dead: every one of them")
        parser.add_argument("--type", help="with --dead: only jobs of this type")
        parser.add_argument("--params", metavar="JSON", help="an object of parameters to change")

    def handle(self, *args: Any, **options: Any) -> None:
        edits = params_from(options["params"], "--params") if options["params"] else {}
        if (options["id"] is None) is not options["dead"]:
            raise CommandError("Name one job, or give --dead.", returncode=USAGE)
        if options["dead"]:
            self._requeue_dead(edits, options["type"], everything=options["all"])
        elif options["all"] or options["type"]:
            raise CommandError("--all and --type go with --dead.", returncode=USAGE)
        else:
            again = dead_letters.again(find(options["id"]), edits, by=self.by, checked=False)
            self.stdout.write(str(again.pk))

    def _requeue_dead(
        self, edits: dict[str, Any], type_name: str | None, *, everything: bool
    ) -> None:
        done = 0
        refused: set[UUID] = set()
        while letters := _oldest(type_name, refused):
            outcome = dead_letters.requeue(letters, edits, by=self.by, checked=False)
            self._tell(outcome)
            done += len(outcome.requeued)
            refused |= {job.pk for job, _ in outcome.refused}
            if not everything:
                break
        self.say(f"{done} requeued, {len(refused)} refused.")
        if refused:
            raise CommandError("Some dead letters stay on the list; see job_list --dead.")

    def _tell(self, outcome: Outcome) -> None:
        for _, again in outcome.requeued:
            self.stdout.write(str(again.pk))
        for job, error in outcome.refused:
            self.say(plain(f"{job.pk}: {error.message}"))


def _oldest(type_name: str | None, but: set[UUID]) -> list[Job]:
    letters = Job.objects.dead().exclude(id__in=but).select_related("owner")
    if type_name:
        letters = letters.filter(type=type_name)
    return list(letters.order_by("dead_at", "id")[:AT_ONCE])
