"""What the job commands share: their exit codes, their errors in one line, and their tables.

Results go to standard output, messages to standard error. Exit codes: 0 done, 1 failed, 2 wrong
usage, 3 not found, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from argparse import ArgumentTypeError
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError

from jobs.errors import JobError
from jobs.models import Job

USAGE = 2
NOT_FOUND = 3
INTERRUPTED = 130
EXIT_CODES = {"invalid_input": USAGE}


class JobCommand(BaseCommand):
    """A command whose errors are one line and whose exit code says which kind."""

    requires_system_checks: list[str] = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except JobError as error:
            raise CommandError(_told(error), returncode=EXIT_CODES.get(error.code, 1)) from error
        except (DatabaseError, InterfaceError) as error:
            message = f"The database cannot be used ({type(error).__name__}): see manage.py migrate"
            raise CommandError(f"{message} and DF_DATABASE_URL.") from error
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has enough; Python would complain at the final flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None

    def say(self, message: str) -> None:
        self.stderr.write(message)

    def print_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder))

    def print_table(self, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        for line in table(head, rows):
            self.stdout.write(line)


def job_id(text: str) -> uuid.UUID:
    """An argument that names a job."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{plain(text)!r} is not the id of a job (a UUID)") from None


def count(most: int) -> Any:
    """An argument from 1 to `most`."""

    def parsed(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= most:
            raise ArgumentTypeError(f"takes a number from 1 to {most}")
        return int(text)

    return parsed


def find(job_id: uuid.UUID) -> Job:
    job = Job.objects.select_related("owner").filter(id=job_id).first()
    if job is None:
        raise CommandError(f"There is no job {job_id}; see job_list.", returncode=NOT_FOUND)
    return job


def params_from(text: str, named: str) -> dict[str, Any]:
    """The JSON object `text`; `named` is the option it came by."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{named}: not valid JSON: {error}.", returncode=USAGE) from error
    if not isinstance(value, dict):
        raise CommandError(f"{named}: takes a JSON object.", returncode=USAGE)
    return value


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


def moment(time: datetime | None) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else "-"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _told(error: JobError) -> str:
    fields = error.details.get("fields", {})
    named = "; ".join(f"{name}: {' '.join(map(str, told))}" for name, told in fields.items())
    return plain(f"{error.message} {named}".strip())
