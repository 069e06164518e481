"""`manage.py hub_remove ID|REPO`: take a repository, or one commit of it, off the disk."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader.command_line import ModelCommand, human
from downloader.hub import naming, removal
from downloader.hub.errors import UnknownRepo
from downloader.hub.models import Repo, Snapshot


class Command(ModelCommand):
    changes_things = True
    help = (
        "Remove a tracked repository's files. Bytes that something else uses stay, and so does "
        "its list, unless it is to be forgotten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument("--commit", help="only this commit of it")
        parser.add_argument("--forget", action="store_true", help="its list as well")
        parser.add_argument("--dry-run", action="store_true", help="only tell what it would free")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        what = _meant(options["repo"], options["commit"])
        name, id_ = str(what), str(what.pk)
        done = removal.remove(
            what, dry_run=options["dry_run"], forget=options["forget"], by=self.by
        )
        if options["json"]:
            self.print_json(
                {
                    "id": id_,
                    "name": name,
                    "removed": done.removed,
                    "freed_bytes": done.freed_bytes,
                    "kept_bytes": done.kept_bytes,
                    "folders": list(done.folders),
                    "forgotten": done.forgotten,
                }
            )
            return
        verb = "frees" if done.removed else "would free"
        self.say(f"{name}: {verb} {human(done.freed_bytes)}, keeps {human(done.kept_bytes)}.")


def _meant(text: str, commit: str | None) -> Repo | Snapshot:
    repo = naming.meant(text)
    if not commit:
        return repo
    found = list(repo.snapshots.filter(commit__startswith=commit)[:2])
    if len(found) != 1:
        which = "No commit" if not found else "More than one commit"
        raise UnknownRepo(f"{which} of {repo} begins with {commit[:64]}.")
    return found[0]
