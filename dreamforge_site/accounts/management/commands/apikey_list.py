"""`manage.py apikey_list`: which keys there are, never what they are."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from dreamforge_site.accounts import clock, keys, names
from dreamforge_site.accounts.command_line import readable_errors
from dreamforge_site.accounts.models import ApiKey


class Command(BaseCommand):
    help = "List API keys, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", help="only this owner's")
        parser.add_argument("--json", action="store_true", help="print a JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        found = ApiKey.objects.select_related("owner").order_by("-created_at", "-id")
        if options["user"] is not None:
            with readable_errors():
                found = found.filter(owner=keys.owner_named(options["user"]))
        rows = [_row(key) for key in found]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for row in rows:
            self.stdout.write("  ".join(_as_text(value) for value in row.values()))


def _row(key: ApiKey) -> dict[str, str | list[str] | None]:
    return {
        "prefix": key.prefix,
        "state": key.state(clock.now()),
        "owner": key.owner.username,
        "name": key.name,
        "scopes": key.scopes,
        "expires_at": clock.written(key.expires_at),
        "last_used_at": clock.written(key.last_used_at),
    }


def _as_text(value: str | list[str] | None) -> str:
    text = ",".join(value) if isinstance(value, list) else value
    return names.shown(text or "-")
