"""`manage.py hub_verify ID|REPO|--all`: read stored files again; exit 1 if one is damaged."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from downloader import configured, kinds, starting
from downloader.command_line import ModelCommand, interruptible
from downloader.failures import FAILED, USAGE
from downloader.hub import naming, scrubbing
from downloader.hub.scrubbing import Report
from downloader.hub.voices import PlainVoice
from downloader.library.watch import Control


class Command(ModelCommand):
    changes_things = True
    help = (
        "Hash stored files again. A damaged one is taken out of sight and kept in quarantine. "
        "Exit 1 and a list when something differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", nargs="?", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument(
            "--all", action="store_true", help="every blob that nobody has read for a week"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        control = Control()
        with interruptible(control):
            report = self._read(options["repo"], options["all"], PlainVoice(control, self.say))
        if options["json"]:
            self.print_json(report.to_json())
        elif report.files:
            self.print_table(("FILE",), [(path,) for path in report.files])
        if report.damaged or report.missing:
            raise CommandError("Some files differ.", returncode=FAILED)

    def _read(self, text: str | None, everything: bool, voice: PlainVoice) -> Report:
        if (text is None) != everything:
            raise CommandError("Takes one repository, or --all.", returncode=USAGE)
        store = configured.store()
        if text is None:
            starting.begun(kinds.SCRUB.name, {}, self.by)
            return scrubbing.scrub_store(store, voice, 0)
        repo = naming.meant(text)
        starting.begun(kinds.HUB_VERIFY.name, {"repo_id": str(repo.pk)}, self.by)
        return scrubbing.verify_repo(repo, store, voice)
