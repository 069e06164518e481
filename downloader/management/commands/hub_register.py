"""`manage.py hub_register REF`: put a repository on the list of those that are tracked."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader.hub import registering, working
from downloader.hub.api.serializers import RepoSerializer
from downloader.hub.terminal import HubCommand


class Command(HubCommand):
    changes_things = True
    help = "Track a revision of a repository. Its source is not asked; see hub_sync."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", metavar="AUTHOR/NAME[@REVISION]", help="or a page's address")
        parser.add_argument("--revision", help="a branch, tag or commit (default: main)")
        parser.add_argument(
            "--auto-sync", action="store_true", help="sync by itself when its source has news"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        repo, is_new = registering.register(
            options["ref"], options["revision"], auto_sync=options["auto_sync"], by=self.by
        )
        if options["json"]:
            context = {"work": working.on([repo.pk], None)}
            shown = dict(RepoSerializer(registering.get(repo.pk), context=context).data)
            self.print_json({**shown, "is_new": is_new})
            return
        self.stdout.write(str(repo.pk))
        self.say(f"{repo} is tracked{' now' if is_new else ' already'}.")
