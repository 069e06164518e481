"""`manage.py model_quarantine`: bytes that were not what their source names, and what an operator
decides about them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from downloader import configured, quarantining
from downloader.command_line import ModelCommand, human
from downloader.failures import USAGE

HEAD = ("ID", "FILE", "SIZE", "EXPECTED", "CAME AS", "SOURCE")


class Command(ModelCommand):
    changes_things = True
    help = (
        "List quarantined files. --release trusts one, by your name and with a reason: the next "
        "download of that file takes it as `overridden`. --discard deletes one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--release", metavar="ID")
        what.add_argument("--discard", metavar="ID")
        parser.add_argument("--by", metavar="NAME", help="who releases it")
        parser.add_argument("--reason", help="why its bytes are right all the same")
        parser.add_argument("--json", action="store_true", help="the list as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["release"]:
            self._release(options["release"], options["by"], options["reason"])
        elif options["discard"]:
            size = quarantining.discard(options["discard"], by=self.by)
            self.say(f"{human(size)} deleted.")
        else:
            self._list(as_json=options["json"])

    def _release(self, id_: str, by: str | None, reason: str | None) -> None:
        if not (by or "").strip() or not (reason or "").strip():
            problem = "--release needs --by and --reason: both are kept with the file."
            raise CommandError(problem, returncode=USAGE)
        computed = quarantining.release(
            id_, name=str(by).strip(), reason=str(reason).strip(), by=self.by
        )
        self.say(f"{computed.sha256} is trusted from now on; download the model again.")

    def _list(self, *, as_json: bool) -> None:
        held = configured.store().quarantined()
        if as_json:
            self.print_json({id_: s.to_json() if s else None for id_, s in held.items()})
            return
        rows = [
            (id_, s.path, human(s.size), s.expected or "-", s.computed.sha256[:16], s.source_uri)
            if s
            else (id_, "its record cannot be read", "-", "-", "-", "-")
            for id_, s in sorted(held.items())
        ]
        self.print_table(HEAD, rows)
