"""`manage.py model_collect`: remove blobs that no model needs, and what dead downloads left."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader import configured
from downloader.command_line import ModelCommand, human
from downloader.library.store import Terms
from jobs.command_line import count

DAY_HOURS = 24
LONGEST_HOURS = 24 * 365


class Command(ModelCommand):
    help = (
        "Remove bytes that no model needs. Nothing younger than the grace goes, and nothing that a "
        "running download is about to use. The service does this every hour."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only tell what would go")
        parser.add_argument(
            "--grace-hours",
            type=count(LONGEST_HOURS),
            default=DAY_HOURS,
            metavar="N",
            help="keep what is younger (default: 24)",
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        grace_s = options["grace_hours"] * 3600.0
        collected = configured.store().collect(Terms(options["dry_run"], grace_s))
        if options["json"]:
            self.print_json(
                {
                    "dry_run": options["dry_run"],
                    "freed_bytes": collected.freed_bytes,
                    "blobs": list(collected.blobs),
                    "staging": list(collected.staging),
                    "kept": dict(collected.kept),
                    "unreadable": list(collected.unreadable),
                }
            )
            return
        for blob in collected.blobs:
            self.stdout.write(blob)
        verb = "would free" if options["dry_run"] else "freed"
        self.say(f"{len(collected.blobs)} blobs, {verb} {human(collected.freed_bytes)}.")
        for place in collected.unreadable:
            self.say(f"{place} cannot be read: nobody knows what it needs, so no blob goes.")
