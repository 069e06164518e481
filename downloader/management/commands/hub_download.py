"""`manage.py hub_download REPO [PATH…]`: fetch files of a repository into the mirror."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader.command_line import human
from downloader.hub import choosing
from downloader.hub.errors import AlreadyDownloaded
from downloader.hub.models import Repo
from downloader.hub.terminal import HubCommand


class Command(HubCommand):
    changes_things = True
    help = (
        "Fetch, verify and show files of a repository, which is registered if it was not. Done "
        "here and now; ^C keeps what was fetched, and the same command goes on from there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument(
            "paths", nargs="*", metavar="PATH", help="files, folders/, patterns (default: all)"
        )
        parser.add_argument("--revision", help="a branch, tag or commit (default: main)")
        parser.add_argument(
            "--force", action="store_true", help="read what is here again, fetch what is damaged"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        repo = choosing.named(options["repo"], options["revision"], by=self.by)
        entries = [{"path": path} for path in options["paths"]]
        try:
            params = choosing.of(repo, entries, force=options["force"])
        except AlreadyDownloaded:
            return self._is_here(repo, as_json=options["json"])
        job = self.do("mirror", params)
        if options["json"]:
            self.print_json({"repo": str(repo), "job_id": job.pk, **job.summary})
            return None
        for folder in job.summary["folders"]:
            self.stdout.write(folder)
        received = human(job.summary["bytes_received"])
        self.say(f"{job.summary['files']} files of {repo} are here ({received} fetched).")
        return None

    def _is_here(self, repo: Repo, *, as_json: bool) -> None:
        """A second run is no mistake."""
        if as_json:
            self.print_json({"repo": str(repo), "job_id": None, "bytes_received": 0})
        self.say(f"All of these files of {repo} are here already.")
