"""`manage.py apikey_create`: make a key; the key is all that goes to standard output."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from dreamforge_site.accounts import clock, keys, scopes
from dreamforge_site.accounts.command_line import readable_errors
from dreamforge_site.accounts.errors import InvalidInputError
from dreamforge_site.accounts.models import ApiKey
from registry.command_line import ForgeCommand

LONGEST_DAYS = 36_500


class Command(ForgeCommand):
    changes_things = True
    help = "Make an API key and print it, once. Scopes: " + ", ".join(scopes.SCOPES)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, help="name of the owner")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument("--scopes", required=True, help="scopes separated by commas")
        parser.add_argument("--expires-days", type=int, help="days it lives (default: no end)")
        parser.add_argument("--json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with readable_errors():
            key = keys.make(
                keys.owner_named(options["user"]),
                options["name"],
                options["scopes"].split(","),
                _end(options["expires_days"]),
                by=self.by,
            )
        self.stdout.write(_as_json(key) if options["json"] else key.revealed)
        self.stderr.write(f"Made for {key.owner}; keep it safe, it is not shown again.")


def _end(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= LONGEST_DAYS:
        problem = f"--expires-days: got {days}, takes 1 to {LONGEST_DAYS}."
        raise InvalidInputError("expires_days", problem)
    return clock.now() + timedelta(days=days)


def _as_json(key: ApiKey) -> str:
    return json.dumps(
        {
            "id": str(key.pk),
            "prefix": key.prefix,
            "owner": key.owner.username,
            "scopes": key.scopes,
            "expires_at": clock.written(key.expires_at),
            "key": key.revealed,
        }
    )
