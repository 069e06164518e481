"""`manage.py apikey_revoke PREFIX`: end a key at once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from dreamforge_site.accounts import keys, names
from dreamforge_site.accounts.command_line import readable_errors
from registry.command_line import ForgeCommand


class Command(ForgeCommand):
    changes_things = True
    help = "Revoke an API key; doing it twice is no error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="the eight characters that apikey_list shows")

    def handle(self, *args: Any, **options: Any) -> None:
        with readable_errors():
            key = keys.find(options["prefix"])
        ended = keys.revoke(key, by=self.by)
        self.stderr.write(
            f"{names.shown(str(key))} {'is revoked' if ended else 'was revoked before'}."
        )
