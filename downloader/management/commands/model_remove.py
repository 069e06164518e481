"""`manage.py model_remove ID|NAME`: take a model away and free the bytes nothing else uses."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader import removal
from downloader.command_line import ModelCommand, human
from registry import selection


class Command(ModelCommand):
    changes_things = True
    help = "Remove an installed model. Bytes that other models use stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="ID|NAME")
        parser.add_argument("--dry-run", action="store_true", help="only tell what it would free")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        model = selection.named(options["model"])
        name, id_ = str(model), str(model.pk)
        done = removal.remove(model, dry_run=options["dry_run"], by=self.by)
        if options["json"]:
            facts = {"freed_bytes": done.freed_bytes, "kept_bytes": done.kept_bytes}
            self.print_json({"id": id_, "name": name, "removed": done.removed, **facts})
            return
        verb = "frees" if done.removed else "would free"
        self.say(f"{name}: {verb} {human(done.freed_bytes)}, keeps {human(done.kept_bytes)}.")
