"""`manage.py retention [--dry-run]`: remove now what is past its time, or tell what would go."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jobs import upkeep


class Command(BaseCommand):
    help = "Remove jobs, images, events and keys that are past their time (DF_RETENTION_…)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="remove nothing, only count")
        parser.add_argument("--json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = upkeep.run(dry_run=options["dry_run"])
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        verb = "would go" if options["dry_run"] else "removed"
        for name, count in counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count} {verb}")
