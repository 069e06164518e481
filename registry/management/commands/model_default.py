"""`manage.py model_default [ID|NAME]`: what jobs use that name no model, or another choice."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry import catalog, selection
from registry.command_line import USAGE, ModelCommand


class Command(ModelCommand):
    changes_things = True
    help = "Print the id of the model for jobs that name none; with an argument, choose it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "model", metavar="ID|NAME", nargs="?", help="an id, a name or name@version"
        )
        parser.add_argument(
            "--clear", action="store_true", help="back to the first one that is enabled"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["model"] and options["clear"]:
            raise CommandError("Name a model, or give --clear.", returncode=USAGE)
        if options["clear"]:
            catalog.set_default(None, by=self.by)
            self.say("No model is set; jobs that name none use the first that is enabled.")
            return
        if options["model"]:
            catalog.set_default(selection.named(options["model"]).pk, by=self.by)
        model = selection.default()
        self.stdout.write(str(model.pk))
        self.say(f"Jobs that name no model use {model}.")
