"""`manage.py hub_scan [PATH]`: take models that lie on the disk into the hub, where they are."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader import configured, kinds, starting
from downloader.command_line import ModelCommand, human, interruptible
from downloader.hub import scanning
from downloader.hub.voices import PlainVoice
from downloader.library.watch import Control


class Command(ModelCommand):
    changes_things = True
    help = (
        "Look below the models root for models that nobody downloaded. They are hashed once, "
        "matched to a known commit where one has their bytes, and adopted without a copy."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "path", nargs="?", metavar="PATH", help="a folder below the models root (default: all)"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        control = Control()
        starting.begun(kinds.SCAN.name, {"path": options["path"]}, self.by)
        with interruptible(control):
            report = scanning.walk(
                configured.store(), options["path"] or "", PlainVoice(control, self.say)
            )
        if options["json"]:
            self.print_json(report.to_json())
            return
        for repo in report.repos:
            self.stdout.write(repo)
        self.say(f"{human(report.adopted_bytes)} adopted, {human(report.hashed_bytes)} read.")
