"""`manage.py hub_sync REPO`: list the files of a tracked repository as they are now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader.hub import registering, working
from downloader.hub.api.serializers import RepoSerializer
from downloader.hub.terminal import HubCommand


class Command(HubCommand):
    changes_things = True
    help = (
        "Ask the source of a tracked repository for its files, and fetch the small ones that "
        "describe it. Done here and now; no worker has to run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument("--revision", help="another revision of it; it is registered, too")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        repo = registering.named(options["repo"])
        job = self.do("sync", {"repo_id": str(repo.pk), "revision": options["revision"]})
        repo = registering.get(job.summary["repo_id"])
        sums = {sort: job.summary[sort] for sort in ("files", "added", "changed", "removed")}
        if options["json"]:
            context = {"work": working.on([repo.pk], None)}
            shown = dict(RepoSerializer(repo, context=context).data)
            self.print_json({**shown, "job_id": job.pk, "changes": sums})
            return
        self.stdout.write(job.summary["commit"])
        told = ", ".join(f"{count} {sort}" for sort, count in sums.items())
        self.say(f"{repo} is synced: {told}.")
