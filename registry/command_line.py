"""What all commands share: their exit codes, their errors in one line, and their tables.

Results go to standard output, messages to standard error. Exit codes: 0 done, 1 failed, 2 wrong
usage, 3 not found, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError

from registry.errors import Ambiguous, InvalidModel, RegistryError, UnknownModel

FAILED = 1
USAGE = 2
NOT_FOUND = 3
INTERRUPTED = 130
# What SQLite and PostgreSQL say.
DISK_FULL = ("disk is full", "No space left on device")


class ForgeCommand(BaseCommand):
    """A command whose errors are one line."""

    requires_system_checks: list[str] = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
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
