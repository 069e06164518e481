"""`manage.py hub_install REPO`: make a model of a tracked repository, and register it."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.core.management.base import CommandParser

from downloader.hub import registering
from downloader.hub.terminal import HubCommand
from registry.kinds import KINDS
from registry.models import Model


class Command(HubCommand):
    changes_things = True
    help = (
        "Install a tracked repository, or one file of it, as a model. What is here is not fetched "
        "again, so it works with the source away."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version gives way to the model's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument("--path", help="one file, a folder or a pattern")
        parser.add_argument("--commit", help="an older commit that is still known")
        parser.add_argument("--name", help="the model's name (default: the repository's)")
        parser.add_argument("--version", dest="model_version", help="(default: of the commit)")
        parser.add_argument("--kind", choices=KINDS, help="(default: guessed from the files)")
        parser.add_argument("--enable", action=BooleanOptionalAction, default=True)
        parser.add_argument(
            "--force", action="store_true", help="replace other bytes of this name and version"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        repo = registering.named(options["repo"])
        same = ("path", "commit", "name", "kind", "enable", "force")
        params = {name: options[name] for name in same}
        params |= {"repo_id": str(repo.pk), "version": options["model_version"]}
        job = self.do("install", params)
        model = Model.objects.get(pk=job.summary["model_id"])
        if options["json"]:
            facts = {"id": model.pk, "name": model.name, "version": model.version}
            more = {"kind": model.kind, "enabled": model.enabled, "job_id": job.pk}
            self.print_json({**facts, **more, **job.summary})
            return
        self.stdout.write(str(model.pk))
        self.say(f"{model.name} {model.version} is installed from {repo}.")
