"""`manage.py hub_update NAME`: bring a tracked branch to its newest commit."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from downloader import configured
from downloader.command_line import ModelCommand
from downloader.failures import FAILED
from downloader.hub import registering, updating, watching
from downloader.hub.models import Repo
from downloader.hub.watching import Outcome, Watcher
from jobs.models import Job
from jobs.states import TERMINAL, State

LOOK_EVERY_S = 1.0


class Command(ModelCommand):
    changes_things = True
    help = (
        "Approve the update of a tracked repository: the files that were downloaded before are "
        "brought to the newest commit, by a job. Looks for news first when none are known."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument("--wait", action="store_true", help="until the job has ended")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        repo = registering.named(options["repo"])
        if watching.can_move(repo.revision) and not repo.update_commit:
            repo = self._looked_at(repo)
            if not repo.update_commit:
                return self._tell(repo, None, as_json=options["json"])
        job = updating.approve(repo, None, by=self.by)
        if options["wait"]:
            self.say(f"Job {job.pk} does it; a worker has to run.")
            _wait(job)
        self._tell(repo, job, as_json=options["json"])
        if job.status in TERMINAL and job.status != State.SUCCEEDED:
            raise CommandError(f"The job {job.status}: {job.error_message}", returncode=FAILED)
        return None

    def _looked_at(self, repo: Repo) -> Repo:
        with configured.tools() as tools:
            finding = Watcher(tools, lambda ask, _control: ask()).look(repo.pk)
        if finding is None or finding.outcome not in (
            Outcome.SAME,
            Outcome.UPDATE,
            Outcome.SYNCING,
        ):
            raise CommandError(finding.message if finding else "It is gone.", returncode=FAILED)
        self.say(finding.message)
        return finding.repo

    def _tell(self, repo: Repo, job: Job | None, *, as_json: bool) -> None:
        if as_json:
            facts = {"job_id": job and job.pk, "status": job and job.status}
            self.print_json({"id": repo.pk, "repo": str(repo), **facts})
        elif job is not None:
            self.stdout.write(str(job.pk))


def _wait(job: Job) -> None:
    while job.status not in TERMINAL:
        time.sleep(LOOK_EVERY_S)
        job.refresh_from_db()
