"""`manage.py hub_move ROOT`: copy the store, or one repository, to another models root."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from downloader import configured
from downloader.command_line import Display, ModelCommand, human, interruptible
from downloader.hub import moving, naming
from downloader.hub.moving import Outcome
from downloader.library.watch import Control, FileProgress, FileState

COPYING = "copied and verified"


class Command(ModelCommand):
    changes_things = True
    help = (
        "Copy every blob, read it again where it arrived, and build the folders there. Run again "
        "it goes on. Stop the service before the last run, then set DF_MODELS_ROOT."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("root", metavar="ROOT", help="the new models root, by its whole path")
        parser.add_argument(
            "--repo", metavar="ID|AUTHOR/NAME[@REVISION]", help="only this repository"
        )
        parser.add_argument(
            "--delete-old",
            action="store_true",
            help="remove what was moved from the old place, once all of it is verified",
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        control = Control()
        repo = naming.meant(options["repo"]) if options["repo"] else None
        with interruptible(control), Display({COPYING: None}, quiet=options["json"]) as display:

            def told(_sha256: str, done: int, total: int) -> None:
                state = FileState.DONE if done == total else FileState.DOWNLOADING
                display.file(FileProgress(COPYING, state, done, total, 0))

            outcome = moving.move(
                configured.store(),
                Path(options["root"]),
                control,
                told,
                repo=repo,
                delete_old=options["delete_old"],
                by=self.by,
            )
        if options["json"]:
            self.print_json(outcome.to_json())
        self._tell(outcome, options["root"], whole=repo is None)

    def _tell(self, outcome: Outcome, root: str, *, whole: bool) -> None:
        moved = outcome.moved
        self.say(
            f"{moved.copied} blobs ({human(moved.copied_bytes)}) copied, {moved.here} were there, "
            f"{moved.folders} folders, {human(outcome.freed_bytes)} freed at the old place."
        )
        for sha256 in (*moved.damaged, *moved.missing):
            self.say(f"{sha256} was not copied: it is damaged or missing at the old place.")
        for path in outcome.left:
            self.say(f"{path} is not of the store and stays.")
        if whole:
            self.say(f"Set DF_MODELS_ROOT={root} and start the service again.")
