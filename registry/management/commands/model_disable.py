"""`manage.py model_disable ID|NAME`: keep jobs from using a model."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from registry import catalog, selection
from registry.command_line import ModelCommand


class Command(ModelCommand):
    changes_things = True
    help = "Keep jobs from using a model; one that draws with it goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="ID|NAME", help="an id, a name or name@version")

    def handle(self, *args: Any, **options: Any) -> None:
        model = catalog.disable(selection.named(options["model"]).pk, by=self.by)
        self.say(f"{model} is disabled.")
        if model.is_default:
            self.say("It is the default model: jobs that name none are refused; see model_default.")
