"""`manage.py apikey_list`: which keys there are, never what they are."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand

from dreamforge_site.accounts import clock, keys
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
            self.stdout.write("  ".join(value or "-" for value in row.values()))


def _row(key: ApiKey) -> dict[str, str | None]:
    return {
        "prefix": key.prefix,
        "state": key.state(clock.now()),
        "owner": key.owner.username,
        "name": key.name,
        "scopes": ",".join(key.scopes),
        "expires_at": _time(key.expires_at),
        "last_used_at": _time(key.last_used_at),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
