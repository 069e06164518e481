"""`manage.py model_enable ID|NAME`: let jobs use a model."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from registry import catalog, selection
from registry.command_line import ModelCommand


class Command(ModelCommand):
    changes_things = True
    help = "Let jobs use a model. Exit status 1, with the reasons, when that cannot be."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="ID|NAME", help="an id, a name or name@version")

    def handle(self, *args: Any, **options: Any) -> None:
        model = catalog.enable(selection.named(options["model"]).pk, by=self.by)
        self.say(f"{model} is enabled.")
