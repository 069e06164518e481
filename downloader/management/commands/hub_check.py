"""`manage.py hub_check [NAME|--all]`: whether tracked branches have moved."""

from __future__ import annotations

import time
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from downloader import configured, kinds, starting
from downloader.command_line import ModelCommand, human, interruptible
from downloader.failures import FAILED, UPSTREAM, USAGE
from downloader.hub import registering, watching
from downloader.hub.watching import Finding, Outcome, Watcher
from downloader.library.watch import Control


class Command(ModelCommand):
    changes_things = True
    help = "Ask the sources of tracked repositories for news. Nothing is fetched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", nargs="?", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument("--all", action="store_true", help="every branch that is tracked")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["repo"]) == options["all"]:
            raise CommandError("Takes one repository, or --all.", returncode=USAGE)
        one = registering.named(options["repo"]).pk if options["repo"] else None
        wanted = {"repo_ids": [str(one)]} if one else {}
        starting.begun(kinds.WATCH.name, wanted, self.by)
        findings = self._look([one] if one else watching.chosen(None))
        if options["json"]:
            self.print_json([finding.to_json() for finding in findings])
        else:
            self.print_table(HEAD, [_row(finding) for finding in findings])
        _exit(findings)

    def _look(self, wanted: list[uuid.UUID]) -> list[Finding]:
        control = Control()
        found: list[Finding] = []
        with configured.tools() as tools, interruptible(control):
            watcher = Watcher(tools, lambda ask, _control: ask())
            for at, repo_id in enumerate(wanted):
                control.check()
                if at:
                    time.sleep(watching.PAUSE_S)
                finding = watcher.look(repo_id)
                if finding is not None:
                    found.append(finding)
                    self.say(finding.message)
                if watcher.is_cut_off:
                    self.say(watching.NOBODY_ANSWERS)
                    break
        return found


HEAD = ("REPOSITORY", "OUTCOME", "COMMIT", "UPDATE", "ADDED", "CHANGED", "REMOVED", "TO FETCH")


def _row(finding: Finding) -> tuple[Any, ...]:
    repo, update = finding.repo, finding.repo.update
    counts = [update.get(sort, "-") for sort in ("added", "changed", "removed")]
    size = human(update["bytes_to_fetch"]) if update else "-"
    commits = (repo.commit[:12] or "-", repo.update_commit[:12] or "-")
    return (str(repo), finding.outcome.value, *commits, *counts, size)


def _exit(findings: list[Finding]) -> None:
    outcomes = {finding.outcome for finding in findings}
    if Outcome.UNREACHABLE in outcomes:
        raise CommandError("Some sources could not be reached.", returncode=UPSTREAM)
    if outcomes & {Outcome.GONE, Outcome.REFUSED}:
        raise CommandError("Some sources did not show their repository.", returncode=FAILED)
