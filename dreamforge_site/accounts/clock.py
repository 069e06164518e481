"""The time of accounts: the one place it is read from, so that a test can stand at another moment,
and the way it is written and checked."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.utils import timezone

WRITTEN = "%Y-%m-%dT%H:%M:%S.%fZ"


def now() -> datetime:
    return timezone.now()


def written(moment: datetime | None) -> str | None:
    """As everywhere in the contract: ISO 8601 in UTC, with microseconds and `Z`."""
    return moment.astimezone(UTC).strftime(WRITTEN) if moment else None


def in_future(moment: datetime) -> None:
    """The validator of an end."""
    if moment <= now():
        raise ValidationError("It must end in the future.")
