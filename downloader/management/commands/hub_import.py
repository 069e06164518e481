"""`manage.py hub_import DIR|FILE.tar`: take in a bundle of another machine, without a network."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from downloader.command_line import Display, ModelCommand, human, interruptible
from downloader.hub import importing
from downloader.hub.importing import Imported
from downloader.library.watch import Control


class Command(ModelCommand):
    changes_things = True
    help = (
        "Verify a bundle, byte by byte, and install what it holds: all of it or nothing. A second "
        "run goes on where the first was stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("bundle", type=Path, metavar="DIR|FILE.tar")
        parser.add_argument(
            "--trust", metavar="KEY", help="take bundles signed by this key, from now on"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        trust = (options["trust"] or "").strip().lower() or None
        control = Control()
        with interruptible(control):
            manifest = importing.look(options["bundle"], control, trust, by=self.by)
            with Display(manifest.carried, quiet=options["json"]) as display:
                imported = importing.take(options["bundle"], control, display, by=self.by)
        self._tell(imported, as_json=options["json"])

    def _tell(self, imported: Imported, *, as_json: bool) -> None:
        if as_json:
            self.print_json(imported.to_json())
            return
        for thing in (*imported.models, *imported.repos):
            self.stdout.write(f"{thing.pk}  {thing}")
        self.say(
            f"{len(imported.models)} models and {len(imported.repos)} repositories are here; "
            f"{imported.copied_blobs} files ({human(imported.copied_bytes)}) were copied, the "
            "others were here."
        )
