"""`manage.py show_config [--json]`: the settings in effect, secrets only as set or unset."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from dreamforge_site.operations import configuration


class Command(BaseCommand):
    help = "Print every variable's value in effect; of secrets only whether they are set."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        values = configuration.shown(settings.ENVIRONMENT)
        if options["json"]:
            self.stdout.write(json.dumps(values, indent=2))
            return
        width = max(map(len, values))
        for name, value in values.items():
            self.stdout.write(f"{name:<{width}}  {_as_text(value)}")


def _as_text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
