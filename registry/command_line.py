"""What all commands share: their exit codes, their errors in one line, and their tables.

Results go to standard output, messages to standard error. Exit codes: 0 done, 1 failed, 2 wrong
usage, 3 not found, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError

from registry.errors import Ambiguous, InvalidModel, RegistryError, UnknownModel

FAILED = 1
USAGE = 2
NOT_FOUND = 3
INTERRUPTED = 130
# What SQLite and PostgreSQL say.
DISK_FULL = ("disk is full", "No space left on device")


def add_output(parser: ArgumentParser) -> None:
    """For a list: a table for people, or JSON, which every command with a result calls `--json`."""
    parser.add_argument("--output", choices=["table", "json"], default="table")
    parser.add_argument(
        "--json", dest="output", action="store_const", const="json", help="as --output json"
    )


class ForgeCommand(BaseCommand):
    """A command whose errors are one line."""

    requires_system_checks: list[str] = []
    changes_things = False  # then it takes --as, and `by` is whom the admin's log names
    by: Any = None

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if self.changes_things:
            told = "whose name the admin's log gets (default: it is not written there)"
            parser.add_argument("--as", dest="acting", metavar="USER", help=told)
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            self.by = user_named(options["acting"]) if options.get("acting") else None
            return super().execute(*args, **options)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(_trouble(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has enough; Python would complain at the final flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None

    def say(self, message: str) -> None:
        self.stderr.write(plain(message))

    def print_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder))

    def print_table(self, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        for line in table(head, rows):
            self.stdout.write(line)


class ModelCommand(ForgeCommand):
    """Its exit code says which kind of error about models it was."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except RegistryError as error:
            raise CommandError(plain(error.message), returncode=_exit_code(error)) from error


def user_named(name: str) -> Any:
    """Whatever the spelling that the sign-in takes; exit code 3 when there is none."""
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(name)
    except users.DoesNotExist:
        problem = f"There is no user {plain(name)!r}."
        raise CommandError(problem, returncode=NOT_FOUND) from None


def _trouble(error: DatabaseError | InterfaceError) -> str:
    """The database's own words can hold its address; only what is known to be harmless is told."""
    if any(words in str(error) for words in DISK_FULL):
        return "The disk under the database is full: make room, then try again."
    message = f"The database cannot be used ({type(error).__name__}): see manage.py migrate"
    return f"{message} and DF_DATABASE_URL."


def _exit_code(error: RegistryError) -> int:
    nowhere = isinstance(error, InvalidModel) and error.reason in ("unknown", "no_default")
    if nowhere or isinstance(error, UnknownModel):
        return NOT_FOUND
    return USAGE if isinstance(error, Ambiguous) else FAILED


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Aligned columns; every cell one line of printable characters."""
    cells = [list(head), *([plain(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def plain(text: str) -> str:
    """Without line ends and the characters that steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
