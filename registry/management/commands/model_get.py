"""`manage.py model_get ID|NAME`: one model as JSON, as the API shows it to staff."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from registry import selection
from registry.api.answers import shown
from registry.command_line import ModelCommand


class Command(ModelCommand):
    help = "Show one model as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="ID|NAME", help="an id, a name or name@version")

    def handle(self, *args: Any, **options: Any) -> None:
        self.print_json(shown(selection.named(options["model"]), to_staff=True))
