"""What the job commands share, beside what all commands do. Exit codes: 0 done, 1 failed, 2 wrong
usage, 3 not found, 130 interrupted.
"""

from __future__ import annotations

import json
import uuid
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from jobs.errors import JobError
from jobs.models import Job
from registry.command_line import INTERRUPTED, NOT_FOUND, USAGE, ForgeCommand, plain

__all__ = ["INTERRUPTED", "NOT_FOUND", "USAGE", "JobCommand", "count", "find", "job_id", "plain"]

EXIT_CODES = {"invalid_input": USAGE}


class JobCommand(ForgeCommand):
    """Its exit code says which kind of error about jobs it was."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except JobError as error:
            raise CommandError(_told(error), returncode=EXIT_CODES.get(error.code, 1)) from error


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


def moment(time: datetime | None) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else "-"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _told(error: JobError) -> str:
    fields = error.details.get("fields", {})
    named = "; ".join(f"{name}: {' '.join(map(str, told))}" for name, told in fields.items())
    return plain(f"{error.message} {named}".strip())
