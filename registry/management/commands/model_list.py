"""`manage.py model_list`: the models, newest first, as a table or as JSON."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from registry import selection, wording
from registry.api.serializers import ModelSummarySerializer
from registry.command_line import ModelCommand, add_output
from registry.kinds import KINDS
from registry.models import Model
from registry.selection import Filters

HEAD = ("ID", "NAME", "VERSION", "KIND", "STATE", "TRUST", "SIZE")


class Command(ModelCommand):
    help = "List models, newest first; the default model is marked with *."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--enabled", action="store_true", help="only what jobs may use")
        parser.add_argument("--kind", choices=KINDS)
        parser.add_argument("--query", metavar="WORDS", default="", help="all of them must occur")
        add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Filters(options["enabled"] or None, kind=options["kind"], q=options["query"])
        models = selection.listed(wanted).defer("files_json", "provenance", "capabilities")
        models = models.order_by("-created_at", "-id")
        if options["output"] == "json":
            self.print_json(ModelSummarySerializer(models, many=True).data)
        else:
            self.print_table(HEAD, [_row(model) for model in models])


def _row(model: Model) -> tuple[str, ...]:
    name = f"{model.name} *" if model.is_default else model.name
    state, size = wording.state(model.installed, model.enabled), wording.size(model.size_bytes)
    return str(model.pk), name, model.version, model.kind, state, model.trust, size
